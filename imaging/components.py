"""The pieces that hang together in the ink: which of them are the digit. Knows nothing of colours or of files."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_SPECK = 0.08
"""A piece whose longest side is less than this share of the main one's is dirt."""

_NEAR = 0.25
"""A piece belongs to the digit if its gap to it is at most this share of the main one's longest side."""


class Components(NamedTuple):
    """The pieces of a mask."""

    labels: NDArray[np.int32]
    """(h, w): the number of the piece that each pixel belongs to, 0 for paper."""
    boxes: NDArray[np.int32]
    """(n + 1, 4): left, top, right, bottom (exclusive) of each piece; row 0 is the paper."""
    areas: NDArray[np.int32]
    """(n + 1,): the number of pixels of each piece."""

    @property
    def sides(self) -> NDArray[np.int32]:
        """(n + 1,): the longest side of each piece's box."""
        return np.asarray((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1))


def find_components(ink: NDArray[np.uint8]) -> Components:
    """Return the pieces of `ink`, uint8 (h, w), 1 ink and 0 paper."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    stats = np.asarray(stats, np.int32)
    boxes = stats[:, :4].copy()
    boxes[:, 2:] += boxes[:, :2]
    return Components(np.asarray(labels, np.int32), boxes, stats[:, cv2.CC_STAT_AREA])


def choose_digit(components: Components) -> NDArray[np.intp]:
    """Return the numbers of the pieces that make up the digit: the main one and what lies near it."""
    if len(components.boxes) == 1:
        return np.zeros(0, np.intp)
    main = _main_piece(components)
    side = components.sides[main]
    allowed = (components.sides >= _SPECK * side) & ~(_touches_border(components) & ~_touches_border(components)[main])
    allowed[0] = False
    chosen = np.zeros(len(components.boxes), np.bool_)
    chosen[main] = True
    for _ in range(4):
        box = _union(components.boxes[chosen])
        grown = chosen | (allowed & (_gaps(components.boxes, box) <= _NEAR * side))
        if (grown == chosen).all():
            break
        chosen = grown
    return np.flatnonzero(chosen)


def _touches_border(components: Components) -> NDArray[np.bool_]:
    height, width = components.labels.shape
    boxes = components.boxes
    return np.asarray((boxes[:, 0] <= 0) | (boxes[:, 1] <= 0) | (boxes[:, 2] >= width) | (boxes[:, 3] >= height))


def _main_piece(components: Components) -> int:
    """Return the largest piece; one on the border only if nothing half as large lies inside."""
    size = components.sides * np.sqrt(components.areas)
    size[0] = 0
    inside = np.where(_touches_border(components), 0.25 * size, size)
    return int(inside.argmax())


def _union(boxes: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _gaps(boxes: NDArray[np.int32], box: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the distance in pixels, along the axis where it is larger, from `box` to each of `boxes`."""
    before = box[:2] - boxes[:, 2:]
    after = boxes[:, :2] - box[2:]
    return np.asarray(np.maximum(np.maximum(before, after), 0).max(axis=1))
