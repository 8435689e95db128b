"""Images of a tiny picture as it came: for pictures that are nearly in MNIST's form, and for tight crops.

In a picture of so few pixels there is no room for a search: what `preprocessing.py` takes for dirt, for a ruled line or
for a frame may be the digit itself.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.grey import to_grey
from imaging.mnist_form import to_mnist_form

TINY_SIDE = 32
"""The longest side of a tiny picture, in pixels."""
_IMAGE_SIDE = 28
_MIN_INK = 0.25
"""The least ink of a pixel that belongs to the digit, as a share of the most ink of a pixel."""


def is_tiny(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether a picture, uint8 (h, w) or (h, w, 3), is tiny."""
    height, width = pixels.shape[:2]
    return bool(height <= TINY_SIDE and width <= TINY_SIDE)


def images_as_they_came(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return images of a tiny picture, uint8 (28, 28) each, white on black, for a model to choose from.

    The first is the picture itself, if it has 28x28 pixels. The others have all of its ink scaled to MNIST's form, as
    light ink on a dark ground and as dark ink on a light ground.
    """
    grey = to_grey(pixels)
    negative = 255 - grey
    images = []
    if grey.shape == (_IMAGE_SIDE, _IMAGE_SIDE):
        images.append(grey if np.median(grey) < 128 else negative)
    stretched = (_stretch(ink) for ink in (grey, negative))
    return [*images, *(to_mnist_form(ink) for ink in stretched if ink.any())]


def _stretch(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `ink` with its ground at 0 and its darkest ink at 255. The ground is the median of the lighter half."""
    low, high = np.percentile(ink, (25, 99.5))
    if high - low < 8:
        return np.zeros_like(ink)
    stretched = np.clip((ink.astype(np.float32) - low) * (255 / (high - low)), 0, 255)
    stretched[stretched < 255 * _MIN_INK] = 0
    enlarged = cv2.resize(stretched, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(enlarged >= 255 * _MIN_INK, enlarged, 0), np.uint8)
