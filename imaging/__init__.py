"""Convert any picture of a handwritten digit to the 28x28 image that a model was trained on.

`preprocess_picture` does the whole conversion: `decode` decodes the file, and `normalise` finds the digit in the pixels
and scales it. `preprocess_pictures` converts several pictures in less time. `decode_scene`
decodes a file in which several digits are to be found. Knows no HTTP, no TensorFlow and no model.
"""

from imaging.checks import Finding
from imaging.cut_out import cut_out_digit
from imaging.decode import (
    DEFAULT_MAX_PIXELS,
    count_frames,
    decode,
    encode_png,
    is_cheap_to_decode,
    may_be_cheap_to_decode,
)
from imaging.digit_maps import Box, DigitMaps
from imaging.divisions import Span, cut_into_spans, keep_surest, merge, take_out_of_ring
from imaging.errors import ExpensivePicture, PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from imaging.fitting import FittedPicture, fit_to_square
from imaging.grey import as_rgb
from imaging.preprocessing import PreprocessedPicture, normalise, preprocess_picture, preprocess_pictures
from imaging.scene import Scene, decode_scene
from imaging.segments import Segment, bound_faint_ink, box_of, find_pieces, segment_digits
from imaging.tiles import Area, cut_tiles
from imaging.tiny import images_as_they_came, is_tiny

__version__ = "0.2.0.dev0"
"""The version of Digitserve. It is defined here because both `app` and `training` may import this package."""

PREPROCESSING_VERSION = 4
"""Increases whenever `preprocess_picture` makes a different image of the same file."""

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "Area",
    "Box",
    "DigitMaps",
    "ExpensivePicture",
    "Finding",
    "FittedPicture",
    "PictureError",
    "PictureTooLarge",
    "PreprocessedPicture",
    "Scene",
    "Segment",
    "Span",
    "UnreadablePicture",
    "UnsupportedPicture",
    "as_rgb",
    "bound_faint_ink",
    "box_of",
    "count_frames",
    "cut_into_spans",
    "cut_out_digit",
    "cut_tiles",
    "decode",
    "decode_scene",
    "encode_png",
    "find_pieces",
    "fit_to_square",
    "images_as_they_came",
    "is_cheap_to_decode",
    "is_tiny",
    "keep_surest",
    "may_be_cheap_to_decode",
    "merge",
    "normalise",
    "preprocess_picture",
    "preprocess_pictures",
    "segment_digits",
    "take_out_of_ring",
]
