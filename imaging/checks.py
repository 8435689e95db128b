"""What the ink alone says against its being one digit. Knows nothing of models."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.components import Components

Finding = Literal["blank", "several_digits", "not_a_digit"]

_RIVAL_SIDE = 0.5
"""A piece apart from the digit that is this share of its longest side may be another digit..."""

_RIVAL_AREA = 0.25
"""...if it has this share of its ink as well."""

_TALL = 0.6
"""Two pieces of the digit that both have this share of its height, side by side, are two digits."""

_OVERLAP = 0.25
"""How much of the narrower one's width they may share where the writing leans."""

_WIDEST = 2.0
"""A digit is not wider than this many times its height: in MNIST 1 in 1,000 is wider than 1.7."""

_THICKEST = 0.3
"""A stroke is at most this share of the longest side: in MNIST 1 in 100 has more than 0.24. A blot has more."""

_CROWD = 12
"""More rivals than this are a page of writing, a texture or noise."""

_MOST_PIECES = 10
"""No pen breaks a digit into more pieces than this."""

_LONGEST = 5.5
"""All strokes of a digit together are at most this many times its longest side long; noise and grids are longer."""


def check_digit(
    components: Components, chosen: NDArray[np.intp], scan: NDArray[np.uint8], width: float
) -> Finding | None:
    """Return what is wrong with the pieces `chosen` as one digit, or None.

    `scan` is the same pieces alone, uint8 (h, w), 1 ink and 0 paper, and holds at least some ink; `width` is the mean
    width of its strokes in pixels.
    """
    side = max(cv2.boundingRect(scan)[2:])
    boxes = components.boxes[chosen]
    rivals = _count_rivals(components, chosen)
    if rivals > _CROWD or len(chosen) > _MOST_PIECES or cv2.countNonZero(scan) > _LONGEST * side * width:
        return "not_a_digit"
    if rivals > 0 or _stand_side_by_side(boxes):
        return "several_digits"
    if _aspect(boxes) > _WIDEST:
        return "several_digits" if len(chosen) > 1 else "not_a_digit"
    return "not_a_digit" if width > _THICKEST * side else None


def _count_rivals(components: Components, chosen: NDArray[np.intp]) -> int:
    if len(chosen) == len(components.areas) - 1:
        return 0
    sides, areas = components.sides, components.areas
    rival = (sides >= _RIVAL_SIDE * sides[chosen].max()) & (areas >= _RIVAL_AREA * areas[chosen].max())
    rival[chosen] = rival[0] = False
    return int(rival.sum())


def _stand_side_by_side(boxes: NDArray[np.int32]) -> bool:
    """Tell whether two of `boxes` are tall and share hardly a column."""
    if len(boxes) == 1:
        return False
    height = boxes[:, 3].max() - boxes[:, 1].min()
    tall = boxes[boxes[:, 3] - boxes[:, 1] >= _TALL * height]
    by_column = tall[np.argsort(tall[:, 0])]
    overlaps = by_column[:-1, 2] - by_column[1:, 0]
    widths = by_column[:, 2] - by_column[:, 0]
    return bool((overlaps <= _OVERLAP * np.minimum(widths[:-1], widths[1:])).any())


def _aspect(boxes: NDArray[np.int32]) -> float:
    left, top, right, bottom = boxes.T.tolist()
    return float((max(right) - min(left)) / (max(bottom) - min(top)))
