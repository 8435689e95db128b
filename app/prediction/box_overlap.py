"""How much boxes overlap. Knows nothing of digits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imaging import Box


def intersection(boxes: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """Return the common area of each box with each other box, (n, m), in square pixels."""
    first, second = np.array(boxes)[:, np.newaxis], np.array(others)[np.newaxis]
    ends = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    lengths = np.maximum(ends - np.maximum(first[..., :2], second[..., :2]), 0)
    return np.asarray(lengths.prod(axis=2))


def areas(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Return the area of each box, (n,), in square pixels."""
    return np.asarray(np.array(boxes)[:, 2:].prod(axis=1))


def intersection_over_union(boxes: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """Return the common area of each box with each other box, as a share of the area of both, (n, m)."""
    common = intersection(boxes, others)
    return np.asarray(common / (areas(boxes)[:, np.newaxis] + areas(others)[np.newaxis] - common + 1e-9))
