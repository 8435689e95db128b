"""The pieces that hang together in the ink: which of them are the digit. Knows nothing of colours or of files."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.errors import ExpensiveToDecode

_SPECK = 0.08
"""A piece whose longest side is less than this share of the main one's is dirt."""

_NEAR = 0.3
"""A piece belongs to the digit if its gap to it is at most this share of the main one's longest side."""

_NEAR_ON_BORDER = 0.1
"""The same for a piece that the border cuts: it may as well be a neighbour's."""

_ALONG_BORDER = 0.5
"""A piece of which the border takes more than this share of its longest side is a shadow, a finger or a frame."""

_OUTSIDER = 0.1
"""How much the size of such a piece counts for when the main one is chosen."""


class Components(NamedTuple):
    """The pieces of a mask."""

    ink: NDArray[np.uint8]
    """(h, w): the mask itself, 1 and 0."""
    labels: NDArray[np.int32]
    """(h, w): the number of the piece that each pixel belongs to, 0 for paper."""
    boxes: NDArray[np.int32]
    """(n + 1, 4): left, top, right, bottom (exclusive) of each piece; row 0 is the paper."""
    areas: NDArray[np.int32]
    """(n + 1,): the number of pixels of each piece."""
    sides: NDArray[np.int32]
    """(n + 1,): the longest side of each piece's box."""

    def mask(self, numbers: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return the pixels of the pieces of these `numbers`: uint8 (h, w), 1 and 0."""
        if len(numbers) == len(self.areas) - 1:
            return self.ink
        if len(numbers) == 1:
            return np.asarray((self.labels == numbers[0]).view(np.uint8))
        wanted = np.zeros(len(self.areas), np.uint8)
        wanted[numbers] = 1
        return np.asarray(wanted[self.labels])


def find_components(ink: NDArray[np.uint8], *, most: int | None = None) -> Components:
    """Return the pieces of `ink`, uint8 (h, w), 1 ink and 0 paper. Raises NotBrief for more of them than `most`."""
    count, labels = cv2.connectedComponents(ink, connectivity=8)
    if most is not None and count > most:
        raise ExpensiveToDecode
    if count == 2:  # OpenCV's own table takes ten times as long as the labels
        left, top, width, height = cv2.boundingRect(ink)
        return Components(
            ink,
            labels=np.asarray(labels, np.int32),
            boxes=np.array([(0, 0, *ink.shape[::-1]), (left, top, left + width, top + height)], np.int32),
            areas=np.array([0, cv2.countNonZero(ink)], np.int32),
            sides=np.array([max(ink.shape), max(width, height)], np.int32),
        )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    boxes = np.hstack([stats[:, :2], stats[:, :2] + stats[:, 2:4]])
    return Components(
        ink,
        labels=np.asarray(labels, np.int32),
        boxes=np.asarray(boxes, np.int32),
        areas=np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32),
        sides=np.asarray(stats[:, 2:4].max(axis=1), np.int32),
    )


def choose_digit(components: Components) -> NDArray[np.intp]:
    """Return the numbers of the pieces that make up the digit: the main one and what lies near it."""
    if len(components.boxes) <= 2:
        return np.arange(1, len(components.boxes))
    contact = _border_contact(components)
    along = contact > _ALONG_BORDER * components.sides
    main = _main_piece(components, along)
    side = components.sides[main]
    reach = np.where(contact > 0, _NEAR_ON_BORDER, _NEAR) * side
    allowed = (components.sides >= _SPECK * side) & ~along
    allowed[[0, main]] = False
    others = np.flatnonzero(allowed)
    near = _all_near(components.boxes[main], components.boxes[others], reach[others].astype(np.int32))
    return np.sort(np.append(others[near], main))


def _all_near(box: NDArray[np.int32], boxes: NDArray[np.int32], reach: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which of `boxes`, (n, 4), lie within their `reach`, (n,) pixels, of `box` or of others that do."""
    lefts, tops, rights, bottoms = boxes.T + np.array([-1, -1, 1, 1], np.int32)[:, np.newaxis] * reach
    left, top, right, bottom = box.tolist()
    chosen = np.zeros(len(boxes), np.bool_)
    while True:
        near = (lefts <= right) & (tops <= bottom) & (rights >= left) & (bottoms >= top)
        found = boxes[near > chosen]
        if not len(found):
            return chosen
        chosen |= near
        left, top = min(left, int(found[:, 0].min())), min(top, int(found[:, 1].min()))
        right, bottom = max(right, int(found[:, 2].max())), max(bottom, int(found[:, 3].max()))


def _border_contact(components: Components) -> NDArray[np.intp]:
    """Return (n + 1,) how many pixels of each piece lie on the picture's border."""
    labels = components.labels
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    contact = np.bincount(border, minlength=len(components.boxes))
    contact[0] = 0
    return contact


def _main_piece(components: Components, along: NDArray[np.bool_]) -> int:
    """Return the largest piece, by the side of its box and its ink."""
    size = components.sides * np.sqrt(components.areas) * np.where(along, _OUTSIDER, 1)
    size[0] = 0
    return int(size.argmax())
