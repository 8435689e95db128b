"""The pen: how wide the strokes of a digit are, and the same digit with MNIST's pen. Knows nothing of pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

_THINNEST = 0.10
_THICKEST = 0.18
"""A stroke's mean width in MNIST as a share of the digit's longest side: the 25th and the 95th percentile."""

_MARGIN = 16
"""Room, in pixels, for the strokes to grow into."""


def stroke_width(digit: NDArray[np.uint8]) -> float:
    """Return the mean width in pixels of the strokes of `digit`, uint8 (h, w), 1 ink and 0 paper.

    Across a stroke of width w the distance to its edge rises from 0 to w/2 and falls again: its mean is w/4.
    """
    return float(4 * _depth(digit)[digit > 0].mean())


def to_mnist_pen(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `digit`, uint8 (h, w), 1 ink and 0 paper, with strokes as wide as MNIST's, on a little more paper."""
    padded = np.asarray(cv2.copyMakeBorder(digit, *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=0), np.uint8)
    side, width = max(cv2.boundingRect(padded)[2:]), stroke_width(padded)
    share = min(max(width / side, _THINNEST), _THICKEST)
    # With g more on either side both grow: (width + 2g) / (side + 2g) = share.
    return _grow(padded, (share * side - width) / (2 * (1 - share)))


def _grow(digit: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Return `digit` with `growth` pixels more on either side of its strokes, or fewer where it is negative.

    As many fewer as cut nothing, that is: a felt pen may leave thin places too.
    """
    if growth >= 0:
        return (_depth(1 - digit) <= growth).astype(np.uint8)
    depth = _depth(digit)
    while growth < -1:
        thinner = (depth > -growth).astype(np.uint8)
        if _count_pieces(thinner) == _count_pieces(digit):
            return thinner
        growth /= 2
    return digit


def _count_pieces(digit: NDArray[np.uint8]) -> int:
    return cv2.connectedComponents(digit)[0] - 1


def _depth(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far the middle of each pixel of `mask` is from its edge; where `mask` is 0, less than 0."""
    to_outside = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
    return to_outside - np.float32(0.5)
