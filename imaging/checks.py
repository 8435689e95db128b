"""Check whether ink looks like exactly one digit, by its shape alone. Knows no model."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.components import Components

Finding = Literal["blank", "several_digits", "not_a_digit"]

_RIVAL_MIN_SIDE = 0.5
"""The least longest side of a rival, a component that may be another digit: a share of the digit's longest side."""

_RIVAL_MIN_AREA = 0.25
"""The least area of a rival: a share of the area of the digit's largest component."""

_TALL_MIN_HEIGHT = 0.6
"""The least height of a tall component: a share of the digit's height. Two tall ones side by side are two digits."""

_MAX_OVERLAP = 0.25
"""The most columns that two components side by side have in common, where writing is slanted: a share of the narrower
one's width."""

_MAX_ASPECT = 2.0
"""The largest ratio of width to height of a digit. In MNIST, 1 digit in 1,000 has more than 1.7."""

_MAX_STROKE_WIDTH = 0.3
"""The largest stroke width, as a share of the longest side. In MNIST, 1 digit in 100 has more than 0.24."""

_MAX_RIVALS = 12
"""With more rivals than this, the picture is a page of text, a texture or noise."""

_MAX_COMPONENTS = 10
"""A pen does not break a digit into more components than this."""

_MAX_STROKE_LENGTH = 5.5
"""The largest total length of all strokes, as a multiple of the longest side. Noise and grids have more."""


def check_digit(
    components: Components, selected: NDArray[np.intp], ink: NDArray[np.uint8], stroke_width: float
) -> Finding | None:
    """Return why the `selected` components are not one digit, or None if they look like one.

    Args:
        components: All connected components of the picture.
        selected: (k,), the labels of the digit's components.
        ink: uint8 (h, w), the binarised digit alone: 1 for ink, 0 for background. At least one pixel is ink.
        stroke_width: The mean stroke width of `ink`, in pixels.

    """
    side = max(cv2.boundingRect(ink)[2:])
    boxes = components.boxes[selected]
    rivals = _count_rivals(components, selected)
    stroke_area = _MAX_STROKE_LENGTH * side * stroke_width
    if rivals > _MAX_RIVALS or len(selected) > _MAX_COMPONENTS or cv2.countNonZero(ink) > stroke_area:
        return "not_a_digit"
    if rivals > 0 or _stand_side_by_side(boxes):
        return "several_digits"
    if _aspect_ratio(boxes) > _MAX_ASPECT:
        return "several_digits" if len(selected) > 1 else "not_a_digit"
    return "not_a_digit" if stroke_width > _MAX_STROKE_WIDTH * side else None


def _count_rivals(components: Components, selected: NDArray[np.intp]) -> int:
    if len(selected) == len(components.areas) - 1:
        return 0
    sides, areas = components.sides, components.areas
    min_side, min_area = _RIVAL_MIN_SIDE * sides[selected].max(), _RIVAL_MIN_AREA * areas[selected].max()
    is_rival = (sides >= min_side) & (areas >= min_area)
    is_rival[selected] = is_rival[0] = False
    return int(is_rival.sum())


def _stand_side_by_side(boxes: NDArray[np.int32]) -> bool:
    """Tell whether two of `boxes`, (k, 4), are tall and have hardly any column in common."""
    if len(boxes) == 1:
        return False
    height = boxes[:, 3].max() - boxes[:, 1].min()
    tall = boxes[boxes[:, 3] - boxes[:, 1] >= _TALL_MIN_HEIGHT * height]
    by_column = tall[np.argsort(tall[:, 0])]
    overlaps = by_column[:-1, 2] - by_column[1:, 0]
    widths = by_column[:, 2] - by_column[:, 0]
    return bool((overlaps <= _MAX_OVERLAP * np.minimum(widths[:-1], widths[1:])).any())


def _aspect_ratio(boxes: NDArray[np.int32]) -> float:
    """Return width / height of the bounding box of all `boxes`, (k, 4)."""
    left, top, right, bottom = boxes.T.tolist()
    return float((max(right) - min(left)) / (max(bottom) - min(top)))
