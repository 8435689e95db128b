"""Measure the stroke width of a binarised digit, and change it to MNIST's. Knows nothing of the rest of the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

_MIN_WIDTH = 0.10
"""The least mean stroke width after normalisation, as a share of the longest side: MNIST's 25th percentile."""

_MAX_WIDTH = 0.18
"""The largest mean stroke width after normalisation, as a share of the longest side: MNIST's 95th percentile."""

_MIN_EROSION = 0.5
"""Strokes are not eroded by less than this many pixels on each side."""


def stroke_width(digit: NDArray[np.uint8]) -> float:
    """Return the mean stroke width of `digit`, uint8 (h, w), 1 for ink and 0 for background, in pixels.

    Across a stroke of width w, the distance to the nearest edge rises from 0 to w/2 and falls to 0: its mean is w/4.
    """
    return 4 * (cv2.sumElems(_distance_to_zero(digit))[0] / cv2.countNonZero(digit) - 0.5)


def normalise_stroke_width(digit: NDArray[np.uint8], width: float) -> NDArray[np.uint8]:
    """Return `digit` with strokes as wide as MNIST's: uint8, 0 for background and 255 for ink, with grey edges.

    The result is padded where strokes were dilated.

    Args:
        digit: uint8 (h, w), 1 for ink and 0 for background.
        width: The mean stroke width of `digit`, in pixels.

    """
    side = max(cv2.boundingRect(digit)[2:])
    if _MIN_WIDTH <= width / side <= _MAX_WIDTH:
        return 255 * digit  # exact: rounding could make the growth below slightly more or less than 0
    target = _MIN_WIDTH if width / side < _MIN_WIDTH else _MAX_WIDTH
    # A growth of g on each side adds 2g to the width and to the digit's side: (width + 2g) / (side + 2g) = target.
    growth = (target * side - width) / (2 * (1 - target))
    if growth > 0:
        return _dilate(digit, growth)
    return _erode(digit, -growth)


def _dilate(digit: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Return `digit` with strokes wider by `growth` pixels on each side."""
    padding = int(growth) + 2
    background = cv2.copyMakeBorder(1 - digit, *(padding,) * 4, cv2.BORDER_CONSTANT, value=1)
    return _coverage(growth - _signed_depth(np.asarray(background, np.uint8)))


def _erode(digit: NDArray[np.uint8], loss: float) -> NDArray[np.uint8]:
    """Return `digit` with strokes narrower by `loss` pixels on each side.

    The loss is halved as long as it would break a thin stroke. Below `_MIN_EROSION` nothing is eroded.
    """
    depth = _signed_depth(digit) if loss > _MIN_EROSION else None
    while depth is not None and loss > _MIN_EROSION:
        eroded = _coverage(depth - np.float32(loss))
        if _count_components(eroded // 128) == _count_components(digit):
            return eroded
        loss /= 2
    return 255 * digit


def _coverage(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return how much of each pixel is ink, 0 to 255, by the signed distance of its centre from the edge in pixels."""
    return np.asarray(255 * np.clip(depth + np.float32(0.5), 0, 1), np.uint8)


def _count_components(digit: NDArray[np.uint8]) -> int:
    return cv2.connectedComponents(digit)[0] - 1


def _signed_depth(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the distance of each pixel's centre from the edge of `mask`, in pixels; negative where `mask` is 0."""
    return _distance_to_zero(mask) - np.float32(0.5)


def _distance_to_zero(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the distance of each pixel's centre from the centre of the nearest pixel that is 0, in pixels."""
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
