"""Find the connected components of an ink mask, and select those of the digit. Knows no grey values."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.errors import ExpensivePicture

_MIN_SIDE = 0.08
"""The least longest side of a component, as a share of the main component's. A smaller component is a speck of dirt."""

_MAX_GAP = 0.3
"""The largest gap between a component and the digit that it belongs to, as a share of the main component's side."""

_MAX_GAP_AT_BORDER = 0.1
"""The largest gap for a component that touches the border of the picture: it may belong to a neighbouring digit."""

_MAX_BORDER_CONTACT = 0.5
"""A component with more border pixels than this share of its longest side is a shadow, a finger or a frame."""

_BORDER_WEIGHT = 0.1
"""The factor on the size of a component along the border when the main component is selected."""


class Components(NamedTuple):
    """The n connected components (8-connectivity) of an ink mask. Label 0 is the background."""

    ink: NDArray[np.uint8]
    """(h, w): the mask, 1 for ink and 0 for background."""
    labels: NDArray[np.int32]
    """(h, w): the label of the component of each pixel."""
    boxes: NDArray[np.int32]
    """(n + 1, 4): the bounding box of each component: left, top, right, bottom (exclusive), in pixels."""
    areas: NDArray[np.int32]
    """(n + 1,): the number of pixels of each component."""
    sides: NDArray[np.int32]
    """(n + 1,): the longest side of each bounding box, in pixels."""

    def mask(self, selected: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return uint8 (h, w), 1 for the pixels of the components with the labels `selected`, (k,), and 0 elsewhere."""
        if len(selected) == len(self.areas) - 1:
            return self.ink
        if len(selected) == 1:
            return np.asarray((self.labels == selected[0]).view(np.uint8))
        is_selected = np.zeros(len(self.areas), np.uint8)
        is_selected[selected] = 1
        return np.asarray(is_selected[self.labels])


def find_components(ink: NDArray[np.uint8], *, max_count: int | None = None) -> Components:
    """Return the connected components of `ink`, uint8 (h, w), 1 for ink and 0 for background.

    Raises:
        ExpensivePicture: if there are more than `max_count` labels, the background's included.

    """
    count, labels = cv2.connectedComponents(ink, connectivity=8)
    if max_count is not None and count > max_count:
        raise ExpensivePicture
    if count == 2:  # for a single component, OpenCV's statistics take ten times as long as its labels
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


def select_digit(components: Components) -> NDArray[np.intp]:
    """Return (k,), the sorted labels of the digit: of the main component and of all components near it.

    k is 0 if there is no ink.
    """
    if len(components.boxes) <= 2:
        return np.arange(1, len(components.boxes))
    contact = _count_border_pixels(components)
    is_along_border = contact > _MAX_BORDER_CONTACT * components.sides
    main = _find_main_component(components, is_along_border)
    side = components.sides[main]
    max_gaps = np.where(contact > 0, _MAX_GAP_AT_BORDER, _MAX_GAP) * side
    is_candidate = (components.sides >= _MIN_SIDE * side) & ~is_along_border
    is_candidate[[0, main]] = False
    candidates = np.flatnonzero(is_candidate)
    near = _find_near(components.boxes[main], components.boxes[candidates], max_gaps[candidates].astype(np.int32))
    return np.sort(np.append(candidates[near], main))


def _find_near(box: NDArray[np.int32], boxes: NDArray[np.int32], max_gaps: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return bool (n,): which of `boxes`, (n, 4), belong to `box`, directly or through other boxes.

    A box belongs to it if its gap to the bounding box of all that belong to it is at most its `max_gaps`, (n,) pixels.
    """
    lefts, tops, rights, bottoms = boxes.T + np.array([-1, -1, 1, 1], np.int32)[:, np.newaxis] * max_gaps
    left, top, right, bottom = box.tolist()
    selected = np.zeros(len(boxes), np.bool_)
    while True:
        near = (lefts <= right) & (tops <= bottom) & (rights >= left) & (bottoms >= top)
        added = boxes[near > selected]
        if not len(added):
            return selected
        selected |= near
        left, top = min(left, int(added[:, 0].min())), min(top, int(added[:, 1].min()))
        right, bottom = max(right, int(added[:, 2].max())), max(bottom, int(added[:, 3].max()))


def _count_border_pixels(components: Components) -> NDArray[np.intp]:
    """Return (n + 1,): how many pixels of each component lie on the border of the picture."""
    labels = components.labels
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    contact = np.bincount(border, minlength=len(components.boxes))
    contact[0] = 0
    return contact


def _find_main_component(components: Components, is_along_border: NDArray[np.bool_]) -> int:
    """Return the label of the largest component, by its longest side and its area."""
    size = components.sides * np.sqrt(components.areas) * np.where(is_along_border, _BORDER_WEIGHT, 1)
    size[0] = 0
    return int(size.argmax())
