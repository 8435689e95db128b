"""Orders the boxes of digits as a person reads them: lines from top to bottom, each from left to right.

Knows only the boxes, in pixels: neither the picture nor the digits.

The text may be tilted. The common tilt is the one at which most neighbours stand beside each other. The boxes are
turned back by it. Then each box, from left to right, continues the line whose last digits stand beside it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, width and height, in pixels. The y axis points down."""

_TILTS = np.deg2rad(np.arange(-18, 18.5, 0.5))
"""The tilts that are tried: text of up to 15 degrees, and digits that stand unevenly in it."""
_MAX_NEIGHBOUR_SLOPE = float(np.tan(np.deg2rad(30)))
"""The steepest slope from a digit to a neighbour that may be of the same line: the tilt, and uneven heights."""
_MISALIGNMENT = 0.3
"""The usual distance of a digit's centre from the middle of its line, as a share of its height."""
_NEIGHBOURS = 12
"""The most neighbours to the right of a digit that are evidence of the tilt."""
_TILT_COST = 0.7
"""The number of aligned pairs of neighbours by which the largest tilt has to exceed upright text. So a few digits at
uneven heights, or a column, count as upright."""
_MIN_OVERLAP = 0.3
"""The least overlap of a digit with its line in the vertical, as a share of the lower of both heights."""
_STACKED = 0.5
"""Two digits stand one below the other if they share this much of the narrower one's width, and not of the height."""
_LAST = 3
"""The digits at the end of a line to which the next one is compared, as a line may bend and its digits dance."""


class _TurnedBox(NamedTuple):
    """A box turned back by the tilt of the text: x is the direction of the lines. In pixels."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def y(self) -> float:
        """The centre across the lines."""
        return (self.top + self.bottom) / 2


def order_lines(boxes: Sequence[Box]) -> list[list[int]]:
    """Return the lines from top to bottom, each as the indices of its boxes from left to right.

    The text may be tilted by up to 15 degrees either way. Each box is in exactly one line, whatever the gaps in it.
    """
    if not boxes:
        return []
    turned = _turn_back(boxes, estimate_tilt(boxes))
    lines: list[list[int]] = []
    for index in sorted(range(len(turned)), key=lambda index: turned[index].left + turned[index].right):
        _continue_line(turned, lines, index)
    return sorted(lines, key=lambda line: sum(turned[index].y for index in line) / len(line))


def estimate_tilt(boxes: Sequence[Box]) -> float:
    """Return the tilt of the text in radians: positive if lines go down to the right. 0 if nothing shows a tilt."""
    left, top, widths, heights = np.asarray(boxes, np.float64).reshape(-1, 4).T
    x, y = left + widths / 2, top + heights / 2
    right = x[np.newaxis] - x[:, np.newaxis]  # [from, to]
    down = y[np.newaxis] - y[:, np.newaxis]
    may_follow = (right > 0) & (np.abs(down) <= _MAX_NEIGHBOUR_SLOPE * right + 0.5 * heights)
    if not may_follow.any():
        return 0.0
    distances = np.where(may_follow, np.hypot(right, down), np.inf)
    second = np.argsort(distances, axis=1)[:, :_NEIGHBOURS].ravel()
    first = np.repeat(np.arange(len(boxes)), len(second) // len(boxes))
    is_neighbour = may_follow[first, second]
    first, second = first[is_neighbour], second[is_neighbour]
    nearest = distances.min(axis=1)
    # The nearest neighbour to the right counts most: in a table, digits of other lines are in line as well. Those
    # further away count too, as uneven heights affect their direction less.
    weights = nearest[first] / distances[first, second]
    scale = _MISALIGNMENT * np.maximum(np.minimum(heights[first], heights[second]), 1e-6)
    evidence = [
        float(weights @ np.exp(-0.5 * (offsets / scale) ** 2)) - _TILT_COST * (tilt / _TILTS[-1]) ** 2
        for tilt in _TILTS
        for offsets in [down[first, second] * np.cos(tilt) - right[first, second] * np.sin(tilt)]
    ]
    return float(_TILTS[int(np.argmax(evidence))])


def _turn_back(boxes: Sequence[Box], tilt: float) -> list[_TurnedBox]:
    """Turn the centres back by `tilt`, in radians. The sizes stay: a box round a tilted digit is hardly larger."""
    cos, sin = math.cos(tilt), math.sin(tilt)
    turned = []
    for left, top, width, height in boxes:
        x, y = left + width / 2, top + height / 2
        along, across = x * cos + y * sin, y * cos - x * sin
        turned.append(_TurnedBox(along - width / 2, along + width / 2, across - height / 2, across + height / 2))
    return turned


def _continue_line(boxes: Sequence[_TurnedBox], lines: list[list[int]], index: int) -> None:
    """Append the box to the line that it continues, or start a new line with it."""
    box = boxes[index]
    fitting = [line for line in lines if _fits(box, [boxes[other] for other in line[-_LAST:]])]
    if fitting:
        min(fitting, key=lambda line: abs(boxes[line[-1]].y - box.y)).append(index)
    else:
        lines.append([index])


def _fits(box: _TurnedBox, last: Sequence[_TurnedBox]) -> bool:
    """Tell whether the box stands beside the `last` digits of a line, and not above or below one of them."""
    overlap = min(box.bottom, max(other.bottom for other in last)) - max(box.top, min(other.top for other in last))
    height = min(other.bottom - other.top for other in (box, *last))
    return overlap >= _MIN_OVERLAP * height and not any(_are_stacked(box, other) for other in last)


def _are_stacked(one: _TurnedBox, other: _TurnedBox) -> bool:
    """Tell whether one box is below the other."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > _STACKED * min(one.right - one.left, other.right - other.left) and down < _STACKED * min(
        one.bottom - one.top, other.bottom - other.top
    )
