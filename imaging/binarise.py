"""The digit cut out and scanned: one size and two values, ink and paper, as NIST's forms were before MNIST.

Knows nothing of what else is on the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 80
"""Longest side of the digit in a scan, in pixels: four for each of MNIST's."""

_NEIGHBOURHOOD = 11
"""How far, in pixels of the scan, a stroke is as dark as its darkest place: about one stroke's width."""

_MARGIN = 2
"""How much round the digit is looked at, and how much paper there is round a scan, in pixels."""

_HALF = 127
"""Of full contrast, 255."""

_NEXT = np.ones((3, 3), np.uint8)
"""A pixel and its neighbours."""


def binarise_digit(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of `contrast`, uint8 (h, w), that `digit`, uint8 (h, w), marks with 1, as 1 ink and 0 paper.

    Ink is what has half the contrast of the darkest ink near it, so a stroke keeps its width where the pen runs dry
    or is out of focus. The digit is 80 pixels long, with paper all round it.
    """
    large = _cut_out(contrast, digit)
    square = np.ones((_NEIGHBOURHOOD, _NEIGHBOURHOOD), np.uint8)
    darkest = np.asarray(cv2.blur(cv2.dilate(large, square), (_NEIGHBOURHOOD, _NEIGHBOURHOOD)), np.uint8)
    return _pad(large > darkest // 2)


def binarise_bilevel_digit(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same of a bilevel picture, all of whose ink has full contrast: ink is what has half of that."""
    return _pad(_cut_out(contrast, digit) > _HALF)


def _cut_out(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the contrast of the pixels that `digit` marks and of their neighbours, else 0, brought to one size."""
    left, top, width, height = cv2.boundingRect(digit)
    window = np.s_[max(top - _MARGIN, 0) : top + height + _MARGIN, max(left - _MARGIN, 0) : left + width + _MARGIN]
    near = np.asarray(cv2.dilate(digit[window], _NEXT), np.uint8)
    return _resize(contrast[window] * near, _SIDE / max(width, height))


def _pad(scan: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.asarray(cv2.copyMakeBorder(scan.view(np.uint8), *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _resize(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(length * scale)) for length in image.shape)
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
