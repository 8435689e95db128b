"""Any picture of a handwritten digit -> the 28x28 image that a model was trained on.

`preprocess_picture` takes all steps: bytes -> pixels (`decode`) -> ink and paper -> 28x28 (`normalise`).
`preprocess_pictures` does the same for several, in less time. Knows no HTTP, no TensorFlow and no model.
"""

from imaging.checks import Finding
from imaging.decode import DEFAULT_MAX_PIXELS, decode, encode_png, is_cheap_to_decode, may_be_cheap_to_decode
from imaging.errors import ExpensiveToDecode, PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from imaging.preprocessing import PreprocessedPicture, normalise, preprocess_picture, preprocess_pictures

__version__ = "0.2.0.dev0"
"""The version of Digitserve. It is defined here because both `app` and `training` may import this package."""

PREPROCESSING_VERSION = 3
"""Goes up whenever `preprocess_picture` makes a different image of the same bytes."""

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "ExpensiveToDecode",
    "Finding",
    "PictureError",
    "PictureTooLarge",
    "PreprocessedPicture",
    "UnreadablePicture",
    "UnsupportedPicture",
    "decode",
    "encode_png",
    "is_cheap_to_decode",
    "may_be_cheap_to_decode",
    "normalise",
    "preprocess_picture",
    "preprocess_pictures",
]
