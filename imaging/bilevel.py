"""Drawings and clean scans, whose pixels are paper or full ink with hardly any between: which levels these are.

Knows nothing of digits. The levels are found before the picture is reduced, as that blends the two at every edge.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLE_SIDE = 64
"""The levels are found on about this many pixels along the longest side."""

_EVEN = 6
"""Paper is as far as this from its level."""

_LEAST_CONTRAST = 64
"""How far apart, of 255, the two levels are at least."""

_SHARE = 0.8
"""This share of all that is not paper has three quarters of the contrast of its median, or more: it is full ink."""

_HALF = 127
"""Of full contrast, 255."""

_SPAN = 0.9
"""Ink that spans more than this share of the width or the height may be a ruling's."""

_VALUES = np.arange(256)


class Levels(NamedTuple):
    """The two lightnesses of a picture, 0 to 255."""

    paper: int
    ink: int

    def measure_contrast(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return how much each pixel of `grey`, uint8 (h, w), differs from paper towards ink: 0 none, 255 all."""
        return np.asarray(cv2.LUT(grey, _contrast_of_values(self)), np.uint8)


@lru_cache(maxsize=64)
def _contrast_of_values(levels: Levels) -> NDArray[np.uint8]:
    """Return (256,) the contrast of each lightness."""
    paper, ink = levels
    if ink < paper:
        return np.interp(_VALUES, (ink, paper - _EVEN), (255, 0)).astype(np.uint8)
    return np.interp(_VALUES, (paper + _EVEN, ink), (0, 255)).astype(np.uint8)


def find_levels(grey: NDArray[np.uint8]) -> Levels | None:
    """Return the levels of `grey`, uint8 (h, w), or None if it has more than two, or half of it is not paper."""
    step = -(-max(grey.shape) // _SAMPLE_SIDE)
    counts = np.bincount(grey[::step, ::step].ravel(), minlength=256)
    paper = int(counts.argmax())
    up_to = [0, *counts.cumsum().tolist()]  # [v]: how many are darker than v
    total = up_to[-1]
    darker, lighter = up_to[max(paper - _EVEN, 0)], total - up_to[min(paper + _EVEN, 255) + 1]
    if not 0 < darker + lighter < total / 2:
        return None
    if darker > lighter:
        ink = bisect_left(up_to, darker / 2) - 1
        full = up_to[ink + (paper - ink) // 4 + 1]
    else:
        ink = bisect_left(up_to, total - lighter / 2) - 1
        full = total - up_to[ink - (ink - paper) // 4]
    is_bilevel = full >= _SHARE * (darker + lighter) and abs(ink - paper) >= _LEAST_CONTRAST
    return Levels(paper, ink) if is_bilevel else None


def find_bilevel_ink(contrast: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the pixels of `contrast`, uint8 (h, w), with half of full contrast: uint8 (h, w), 1 ink and 0 paper.

    None if they reach the border, or nearly from border to border: rulings, frames, shadows and neighbours do.
    """
    ink = (contrast > _HALF).view(np.uint8)
    (height, width), (left, top, across, down) = ink.shape, cv2.boundingRect(ink)
    inside = 0 < left < width - across and 0 < top < height - down
    return ink if inside and across < _SPAN * width and down < _SPAN * height else None
