"""The line from a picture to the image a model is shown, and what the picture alone says against its being a digit."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.components import choose_digit, find_components
from imaging.decode import DEFAULT_MAX_PIXELS, decode
from imaging.grey import to_grey
from imaging.ink import find_ink, measure_contrast
from imaging.mnist import is_mnist_form, to_mnist_form
from imaging.ruling import remove_rulings
from imaging.stroke import change_width, stroke_width

Finding = Literal["blank", "several_digits", "not_a_digit"]

_WORKING_SIDE = 512
_SCAN_SIDE = 160
_THINNEST, _THICKEST = 0.11, 0.19


class Reading(NamedTuple):
    """What a picture was read as."""

    image: NDArray[np.uint8]
    """(28, 28), white ink (255) on black paper (0), as MNIST has it: what the model is shown."""
    finding: Finding | None
    """What the picture alone says against its being one digit; None where it says nothing."""


def read_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Reading:
    """Read the digit in the picture file `data`. Raises PictureError."""
    return normalise(decode(data, max_pixels=max_pixels))


def normalise(pixels: NDArray[np.uint8]) -> Reading:
    """Bring the digit in `pixels`, uint8 (h, w) or RGB (h, w, 3), into MNIST's form."""
    grey = _reduce(to_grey(pixels))
    for image in (grey, 255 - grey) if grey.shape == (28, 28) else ():
        if is_mnist_form(image):
            return Reading(image, None)
    contrast = measure_contrast(grey)
    components = find_components(remove_rulings(find_ink(contrast)))
    chosen = choose_digit(components)
    if chosen.size == 0:
        return Reading(np.zeros((28, 28), np.uint8), "blank")
    scan = _scan(contrast, np.isin(components.labels, chosen).astype(np.uint8))
    return Reading(to_mnist_form(255 * _same_pen(scan)), None)


def _reduce(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _WORKING_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _scan(contrast: NDArray[np.uint8], digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left, top, width, height = cv2.boundingRect(digit)
    margin = max(2, max(width, height) // 32)
    padded_contrast = cv2.copyMakeBorder(contrast, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    padded_digit = cv2.copyMakeBorder(digit, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    window = np.s_[top : top + height + 2 * margin, left : left + width + 2 * margin]
    mask = cv2.dilate(padded_digit[window], np.ones((3, 3), np.uint8))
    ink = np.where(mask > 0, padded_contrast[window], 0).astype(np.uint8)
    scale = _SCAN_SIDE / max(width, height)
    size = (round(ink.shape[1] * scale), round(ink.shape[0] * scale))
    large = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8)
    full = cv2.blur(cv2.dilate(large, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21))), (21, 21))
    return (large > full // 2).astype(np.uint8)


def _same_pen(scan: NDArray[np.uint8]) -> NDArray[np.uint8]:
    digit = np.asarray(cv2.copyMakeBorder(scan, 16, 16, 16, 16, cv2.BORDER_CONSTANT, value=0), np.uint8)
    box = cv2.boundingRect(digit)
    side, width = max(box[2:]), stroke_width(digit)
    target = min(max(width / side, _THINNEST), _THICKEST)
    growth = (target * side - width) / (2 * (1 - target))
    return change_width(digit, growth)
