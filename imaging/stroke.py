"""The pen: how wide the strokes of a digit are, and the same digit with MNIST's pen. Knows nothing of pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

_THINNEST = 0.11
_THICKEST = 0.19
"""A stroke's mean width in MNIST as a share of the digit's longest side: the 25th and the 95th percentile."""

_MARGIN = 16
"""Room, in pixels, for the strokes to grow into."""


def stroke_width(digit: NDArray[np.uint8]) -> float:
    """Return the mean width in pixels of the strokes of `digit`, uint8 (h, w), 1 ink and 0 paper.

    Across a stroke of width w the distance to the paper rises from 0 to w/2 and falls again: its mean is w/4.
    """
    distance = cv2.distanceTransform(digit, cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(4 * np.asarray(distance)[digit > 0].mean())


def to_mnist_pen(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `digit`, uint8 (h, w), 1 ink and 0 paper, with strokes as wide as MNIST's, on a little more paper."""
    padded = np.asarray(cv2.copyMakeBorder(digit, *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=0), np.uint8)
    side, width = max(cv2.boundingRect(padded)[2:]), stroke_width(padded)
    share = min(max(width / side, _THINNEST), _THICKEST)
    # With g more on either side both grow: (width + 2g) / (side + 2g) = share.
    return _grow(padded, (share * side - width) / (2 * (1 - share)))


def _grow(digit: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Return `digit` with `growth` pixels more on either side of its strokes, or fewer where it is negative."""
    if growth >= 0:
        to_ink = np.asarray(cv2.distanceTransform(1 - digit, cv2.DIST_L2, cv2.DIST_MASK_5))
        return (to_ink <= growth).astype(np.uint8)
    to_paper = np.asarray(cv2.distanceTransform(digit, cv2.DIST_L2, cv2.DIST_MASK_5))
    reach = 2 * int(-growth) + 3
    depth = np.asarray(cv2.dilate(to_paper, np.ones((reach, reach), np.uint8)))
    # No place loses more than half its width, so that a thin part of a thick stroke is not cut.
    return (to_paper > np.minimum(-growth, depth / 2)).astype(np.uint8)
