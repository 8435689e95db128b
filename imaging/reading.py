"""The line from the bytes of a picture to the image that a model is shown. Knows the order of the steps, no more."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.components import choose_digit, find_components
from imaging.decode import DEFAULT_MAX_PIXELS, decode
from imaging.findings import Finding, find_fault
from imaging.grey import to_grey
from imaging.ink import find_ink, measure_contrast
from imaging.mnist_form import is_mnist_form, to_mnist_form
from imaging.ruling import remove_rulings
from imaging.scan import scan_digit
from imaging.stroke import to_mnist_pen

_WORKING_SIDE = 512
"""Longest side, in pixels, at which the digit is looked for; a larger picture is reduced to it."""


class Reading(NamedTuple):
    """What a picture was read as."""

    image: NDArray[np.uint8]
    """(28, 28), white ink (255) on black paper (0), as MNIST has it: what the model is shown."""
    finding: Finding | None
    """What the picture alone says against its being one digit; None where it says nothing."""


def read_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Reading:
    """Read the digit in the picture file `data`.

    Raises UnsupportedPicture, UnreadablePicture, or PictureTooLarge for more than `max_pixels` pixels.
    """
    return normalise(decode(data, max_pixels=max_pixels))


def normalise(pixels: NDArray[np.uint8]) -> Reading:
    """Bring the digit in `pixels`, uint8 (h, w) grey or (h, w, 3) RGB, into MNIST's form.

    What is in MNIST's form already, or its negative, comes out bit for bit.
    """
    grey = _reduce(to_grey(pixels))
    if grey.shape == (28, 28):
        for image in (grey, 255 - grey):
            if is_mnist_form(image):
                return Reading(image, None)
    contrast = measure_contrast(grey)
    components = find_components(remove_rulings(find_ink(contrast)))
    chosen = choose_digit(components)
    if chosen.size == 0:
        return Reading(np.zeros((28, 28), np.uint8), "blank")
    scan = scan_digit(contrast, np.isin(components.labels, chosen))
    return Reading(to_mnist_form(255 * to_mnist_pen(scan)), find_fault(components, chosen, scan))


def _reduce(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _WORKING_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
