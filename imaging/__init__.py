"""Convert any picture of a handwritten digit to the 28x28 image that a model was trained on.

`preprocess_picture` does the whole conversion: `decode` decodes the file, and `normalise` finds the digit in the pixels
and scales it. `preprocess_pictures` converts several pictures in less time. Knows no HTTP, no TensorFlow and no model.
"""

from imaging.checks import Finding
from imaging.decode import DEFAULT_MAX_PIXELS, decode, encode_png, is_cheap_to_decode, may_be_cheap_to_decode
from imaging.errors import ExpensivePicture, PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from imaging.preprocessing import PreprocessedPicture, normalise, preprocess_picture, preprocess_pictures

__version__ = "0.2.0.dev0"
"""The version of Digitserve. It is defined here because both `app` and `training` may import this package."""

PREPROCESSING_VERSION = 3
"""Increases whenever `preprocess_picture` makes a different image of the same file."""

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "ExpensivePicture",
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
