"""Fit a picture into a square, as the finder takes it. Knows nothing of digits."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.grey import as_rgb
from imaging.tiles import border_colour


class FittedPicture(NamedTuple):
    """A picture within a square, and how its pixels map to those of the square: x' = scale * x + left."""

    pixels: NDArray[np.uint8]
    """(side, side, 3), RGB."""
    scale: float
    left: int
    top: int


def fit_to_square(pixels: NDArray[np.uint8], side: int) -> FittedPicture:
    """Scale `pixels`, uint8 (h, w) or (h, w, 3), to a longest side of `side`, and pad with the colour of its border."""
    pixels = as_rgb(pixels)
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size != (width, height):
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.empty((side, side, 3), np.uint8)
    square[:] = border_colour(pixels)
    square[top : top + size[1], left : left + size[0]] = pixels
    return FittedPicture(square, scale, left, top)
