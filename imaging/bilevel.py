"""Bilevel pictures, such as those of drawing programs and clean scans: find their two grey levels and their ink.

Knows nothing of digits. The levels are found before the search for the digit reduces the picture, because this mixes
the levels at every edge.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLE_SIDE = 64
"""The longest side of the sample on which the levels are found, in pixels, about."""

_BACKGROUND_TOLERANCE = 6
"""The largest deviation of a background pixel from the background level, in grey values."""

_MIN_LEVEL_DISTANCE = 64
"""The least distance between the two levels, in grey values."""

_MIN_FULL_INK = 0.8
"""The least share of ink pixels with at least three quarters of the ink's median contrast."""

_HALF_CONTRAST = 127
"""Half of full contrast, 255."""

_MAX_SPAN = 0.9
"""The largest width or height of the ink, as a share of the picture's. Wider ink may be a ruled line."""

_GREY_VALUES = np.arange(256)


class Levels(NamedTuple):
    """The two grey levels of a bilevel picture, 0 to 255."""

    background: int
    ink: int

    def measure_contrast(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the contrast of each pixel of `grey`, uint8 (h, w), with the background: 0 for none, 255 for full."""
        return np.asarray(cv2.LUT(grey, _contrast_table(self)), np.uint8)


@lru_cache(maxsize=64)
def _contrast_table(levels: Levels) -> NDArray[np.uint8]:
    """Return uint8 (256,), the contrast of each grey value."""
    background, ink = levels
    if ink < background:
        return np.interp(_GREY_VALUES, (ink, background - _BACKGROUND_TOLERANCE), (255, 0)).astype(np.uint8)
    return np.interp(_GREY_VALUES, (background + _BACKGROUND_TOLERANCE, ink), (0, 255)).astype(np.uint8)


def find_levels(grey: NDArray[np.uint8]) -> Levels | None:
    """Return the two levels of `grey`, uint8 (h, w), or None if it is not bilevel or half of it is not background."""
    step = -(-max(grey.shape) // _SAMPLE_SIDE)
    counts = np.bincount(grey[::step, ::step].ravel(), minlength=256)
    background = int(counts.argmax())
    darker_than = [0, *counts.cumsum().tolist()]  # [v]: the number of pixels darker than v
    total = darker_than[-1]
    darker = darker_than[max(background - _BACKGROUND_TOLERANCE, 0)]
    lighter = total - darker_than[min(background + _BACKGROUND_TOLERANCE, 255) + 1]
    if not 0 < darker + lighter < total / 2:
        return None
    if darker > lighter:
        ink = bisect_left(darker_than, darker / 2) - 1
        full = darker_than[ink + (background - ink) // 4 + 1]
    else:
        ink = bisect_left(darker_than, total - lighter / 2) - 1
        full = total - darker_than[ink - (ink - background) // 4]
    is_bilevel = full >= _MIN_FULL_INK * (darker + lighter) and abs(ink - background) >= _MIN_LEVEL_DISTANCE
    return Levels(background, ink) if is_bilevel else None


def find_bilevel_ink(contrast: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the ink mask of `contrast`, uint8 (h, w): 1 for at least half of full contrast, 0 for background.

    Return None if there is no ink, or if it touches the border or spans nearly the whole width or height: it may then
    contain ruled lines, frames, shadows or neighbouring digits.
    """
    ink = (contrast > _HALF_CONTRAST).view(np.uint8)
    (height, width), (left, top, ink_width, ink_height) = ink.shape, cv2.boundingRect(ink)
    is_inside = 0 < left < width - ink_width and 0 < top < height - ink_height
    return ink if is_inside and ink_width < _MAX_SPAN * width and ink_height < _MAX_SPAN * height else None
