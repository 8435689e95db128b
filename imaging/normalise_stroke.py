"""The pen: how wide the strokes of a digit are, and the same digit with MNIST's pen. Knows nothing of pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

_THINNEST = 0.10
_THICKEST = 0.18
"""A stroke's mean width in MNIST as a share of the digit's longest side: the 25th and the 95th percentile."""

_LEAST_LOSS = 0.5
"""Strokes are not made thinner by less than this many pixels."""


def stroke_width(digit: NDArray[np.uint8]) -> float:
    """Return the mean width in pixels of the strokes of `digit`, uint8 (h, w), 1 ink and 0 paper.

    Across a stroke of width w the distance to its edge rises from 0 to w/2 and falls again: its mean is w/4.
    """
    return 4 * (cv2.sumElems(_distance_to_outside(digit))[0] / cv2.countNonZero(digit) - 0.5)


def normalise_stroke_width(digit: NDArray[np.uint8], width: float) -> NDArray[np.uint8]:
    """Return `digit`, uint8 (h, w), 1 ink and 0 paper, with strokes as wide as MNIST's: 0 paper, 255 ink.

    `width` is the width of its strokes in pixels. Edges come out soft, to a fraction of a pixel. There is more paper
    round the result where strokes grew.
    """
    side = max(cv2.boundingRect(digit)[2:])
    if _THINNEST <= width / side <= _THICKEST:
        return 255 * digit  # not by way of a growth that rounding has near nothing
    share = _THINNEST if width / side < _THINNEST else _THICKEST
    # With g more on either side both grow: (width + 2g) / (side + 2g) = share.
    growth = (share * side - width) / (2 * (1 - share))
    if growth > 0:
        return _thicken(digit, growth)
    return _thin(digit, -growth)


def _thicken(digit: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Return `digit` with `growth` pixels more on either side of its strokes."""
    margin = int(growth) + 2
    paper = cv2.copyMakeBorder(1 - digit, *(margin,) * 4, cv2.BORDER_CONSTANT, value=1)
    return _cover(growth - _depth(np.asarray(paper, np.uint8)))


def _thin(digit: NDArray[np.uint8], loss: float) -> NDArray[np.uint8]:
    """Return `digit` with `loss` pixels fewer on either side of its strokes, or as many as cut nothing.

    A felt pen may leave thin places too.
    """
    depth = _depth(digit) if loss > _LEAST_LOSS else None
    while depth is not None and loss > _LEAST_LOSS:
        thinner = _cover(depth - np.float32(loss))
        if _count_pieces(thinner // 128) == _count_pieces(digit):
            return thinner
        loss /= 2
    return 255 * digit


def _cover(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return how much of each pixel is ink, 0 to 255, where its middle is `depth` pixels inside the edge."""
    return np.asarray(255 * np.clip(depth + np.float32(0.5), 0, 1), np.uint8)


def _count_pieces(digit: NDArray[np.uint8]) -> int:
    return cv2.connectedComponents(digit)[0] - 1


def _depth(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far the middle of each pixel of `mask` is from its edge; where `mask` is 0, less than 0."""
    return _distance_to_outside(mask) - np.float32(0.5)


def _distance_to_outside(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far the middle of each pixel of `mask` is from the nearest one's that is 0; where it is 0, 0."""
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
