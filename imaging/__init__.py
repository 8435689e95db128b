"""Any picture of a handwritten digit -> the 28x28 image that a model was taught on.

`read_picture` is the whole line: bytes -> pixels (`decode`) -> ink and paper -> 28x28 (`normalise`); `read_pictures` is
the same for several, in less time. This package knows nothing of HTTP, of TensorFlow or of models.
"""

from imaging.decode import DEFAULT_MAX_PIXELS, decode, encode_png, is_brief, may_be_brief
from imaging.errors import NotBrief, PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from imaging.findings import Finding
from imaging.reading import Reading, normalise, read_picture, read_pictures

PREPROCESSING_VERSION = 3
"""Goes up whenever `read_picture` makes a different image of the same bytes."""

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "Finding",
    "NotBrief",
    "PictureError",
    "PictureTooLarge",
    "Reading",
    "UnreadablePicture",
    "UnsupportedPicture",
    "decode",
    "encode_png",
    "is_brief",
    "may_be_brief",
    "normalise",
    "read_picture",
    "read_pictures",
]
