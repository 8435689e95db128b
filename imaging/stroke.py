"""The pen: how wide the stroke of a digit is, and the same digit with another pen. Knows nothing of pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray


def stroke_width(digit: NDArray[np.uint8]) -> float:
    """Return the mean width in pixels of the strokes of `digit`, uint8 (h, w), 1 ink and 0 paper.

    Across a stroke of width w the distance to the paper rises from 0 to w/2 and falls again: its mean is w/4.
    """
    distance = cv2.distanceTransform(digit, cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(4 * np.asarray(distance)[digit > 0].mean())


def change_width(digit: NDArray[np.uint8], growth: float) -> NDArray[np.uint8]:
    """Return `digit` with `growth` pixels more on either side of its strokes (fewer where it is negative)."""
    if growth >= 0:
        outside = np.asarray(cv2.distanceTransform(1 - digit, cv2.DIST_L2, cv2.DIST_MASK_5))
        return (outside <= growth).astype(np.uint8)
    inside = np.asarray(cv2.distanceTransform(digit, cv2.DIST_L2, cv2.DIST_MASK_5))
    return (inside > -growth).astype(np.uint8)
