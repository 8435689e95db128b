"""Undoes an enlargement without smoothing: a picture in which each pixel is repeated in a square.

People enlarge small pictures so, to see them. The squares have corners that no pen draws, and no more information than
the small picture.
"""

import math

import numpy as np
from numpy.typing import NDArray

from imaging.tiny import TINY_SIDE

_MIN_SIDE = 5
"""The shortest side of a small picture with a digit, in pixels. A uniform picture is an enlargement of any size."""


def undo_enlargement(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the tiny picture of which `pixels`, uint8 (h, w) or (h, w, 3), is an enlargement, else `pixels`.

    A picture with a longest side of more than 32 pixels is not tiny.
    """
    height, width = pixels.shape[:2]
    smallest = -(-max(height, width) // TINY_SIDE)
    largest = min(height, width) // _MIN_SIDE
    divisor = math.gcd(height, width)
    for factor in range(largest, max(smallest, 2) - 1, -1):
        if divisor % factor == 0 and _is_enlarged(pixels, factor):
            return np.ascontiguousarray(pixels[::factor, ::factor])
    return pixels


def _is_enlarged(pixels: NDArray[np.uint8], factor: int) -> bool:
    # The first and the last rows of the middle squares first: most pictures differ there. The other checks alone would
    # take 8 % of the time of a request with an image of 28x28.
    first = len(pixels) // 2 // factor * factor
    if pixels[first].tobytes() != pixels[first + factor - 1].tobytes():
        return False
    small = pixels[::factor, ::factor]
    # Then the opposite corners of the squares.
    if not np.array_equal(small, pixels[factor - 1 :: factor, factor - 1 :: factor]):
        return False
    return np.array_equal(small.repeat(factor, axis=0).repeat(factor, axis=1), pixels)
