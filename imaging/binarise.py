"""Crop the digit, scale it to one size and binarise it. The rest of the picture is ignored.

The result resembles the scanned forms of NIST, from which MNIST was made.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_DIGIT_SIDE = 80
"""The longest side of a binarised digit, in pixels: four for each pixel of a digit in MNIST."""

_WINDOW = 11
"""The side of the window of the local threshold, in pixels of the binarised digit: about one stroke width."""

_MARGIN = 2
"""How many pixels around the digit are cropped with it, and how many of background are padded."""

_HALF_CONTRAST = 127
"""Half of full contrast, 255."""

_NEIGHBOURHOOD = np.ones((3, 3), np.uint8)
"""A pixel and its eight neighbours."""


def binarise_digit(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the digit with a longest side of 80 pixels, padded: uint8, 1 for ink and 0 for background.

    The threshold is local: a pixel is ink if it has half the contrast of the darkest ink around it. So a faint or
    blurred stroke keeps its width.

    Args:
        contrast: uint8 (h, w), 0 for background and 255 for full contrast.
        digit: uint8 (h, w), 1 for the pixels of the digit and 0 elsewhere.

    """
    crop = _crop(contrast, digit)
    window = np.ones((_WINDOW, _WINDOW), np.uint8)
    maximum = np.asarray(cv2.blur(cv2.dilate(crop, window), (_WINDOW, _WINDOW)), np.uint8)
    return _pad(crop > maximum // 2)


def binarise_bilevel_digit(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what `binarise_digit` returns, for ink of full contrast. The threshold is half of full contrast."""
    return _pad(_crop(contrast, digit) > _HALF_CONTRAST)


def _crop(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop `contrast` to the digit, set all but the digit and its neighbouring pixels to 0, and scale to one size."""
    left, top, width, height = cv2.boundingRect(digit)
    window = np.s_[max(top - _MARGIN, 0) : top + height + _MARGIN, max(left - _MARGIN, 0) : left + width + _MARGIN]
    mask = np.asarray(cv2.dilate(digit[window], _NEIGHBOURHOOD), np.uint8)
    return _resize(contrast[window] * mask, _DIGIT_SIDE / max(width, height))


def _pad(ink: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.asarray(cv2.copyMakeBorder(ink.view(np.uint8), *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _resize(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(length * scale)) for length in image.shape)
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
