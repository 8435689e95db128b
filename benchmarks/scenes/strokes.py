"""The centre lines of a digit: thins MNIST's strokes, so that pens can draw them again at any size and width."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.textures import Grey

Line = NDArray[np.float32]
"""The points of a line, float32 (n, 2): column and row."""

_SCALE = 5
_SMOOTHINGS = 12


def digit_lines(digit: Grey) -> list[Line]:
    """Return the centre lines of a digit, uint8 (28, 28), white on black, in its own pixels."""
    return [line.copy() for line in _cached_lines(np.ascontiguousarray(digit).tobytes())]


@lru_cache(maxsize=512)
def _cached_lines(data: bytes) -> tuple[Line, ...]:
    digit = np.frombuffer(data, np.uint8).reshape(28, 28)
    left, top, width, height = cv2.boundingRect((digit > 0).astype(np.uint8))
    tile = np.pad(digit[top : top + height, left : left + width], 1)
    large = cv2.resize(tile, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    points, pairs = _graph(thin(cv2.GaussianBlur(large, (0, 0), _SCALE / 3) > 80))
    points = _smoothed(points, pairs) / _SCALE + np.float32([left - 1, top - 1])
    joined = set(pairs.ravel().tolist())
    dots = [points[[index, index]] for index in range(len(points)) if index not in joined]
    return (*points[pairs], *dots)


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the skeleton of a mask, one pixel wide (Zhang and Suen 1984)."""
    image = np.pad(mask, 1).astype(np.uint8)
    while True:
        removed = 0
        for parity in (0, 1):
            north, east, south, west = image[:-2, 1:-1], image[1:-1, 2:], image[2:, 1:-1], image[1:-1, :-2]
            ring = [north, image[:-2, 2:], east, image[2:, 2:], south, image[2:, :-2], west, image[:-2, :-2]]
            count = sum(part.astype(np.int8) for part in ring)
            steps = sum((1 - ring[index]) & ring[(index + 1) % 8] for index in range(8))
            blocked = (north & east & south) | (east & south & west)
            if parity:
                blocked = (north & east & west) | (north & south & west)
            gone = (image[1:-1, 1:-1] == 1) & (count >= 2) & (count <= 6) & (steps == 1) & (blocked == 0)
            image[1:-1, 1:-1][gone] = 0
            removed += int(gone.sum())
        if not removed:
            return image[1:-1, 1:-1].astype(np.bool_)


def _graph(skeleton: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return the skeleton's pixels as points, and the pairs of points that are neighbours."""
    rows, columns = np.nonzero(skeleton)
    index = np.full(np.add(skeleton.shape, 2), -1, np.intp)
    index[rows + 1, columns + 1] = np.arange(len(rows))
    pairs = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = index[rows + 1, columns + 1], index[rows + 1 + down, columns + 1 + right]
        linked = there >= 0
        if down and right:  # no diagonal where two straight steps lead to the same pixel
            linked &= (index[rows + 1 + down, columns + 1] < 0) & (index[rows + 1, columns + 1 + right] < 0)
        pairs.append(np.stack([here[linked], there[linked]], axis=1))
    return np.stack([columns, rows], axis=1).astype(np.float32) + 0.5, np.concatenate(pairs)


def _smoothed(points: NDArray[np.float32], pairs: NDArray[np.intp]) -> NDArray[np.float32]:
    """Move each point that has two neighbours towards their middle, so that the steps of the pixels vanish."""
    degree = np.bincount(pairs.ravel(), minlength=len(points))
    inner = degree == 2
    for _ in range(_SMOOTHINGS):
        total = np.zeros_like(points)
        np.add.at(total, pairs[:, 0], points[pairs[:, 1]])
        np.add.at(total, pairs[:, 1], points[pairs[:, 0]])
        points = np.where(inner[:, np.newaxis], (points + total / 2) / 2, points).astype(np.float32)
    return points
