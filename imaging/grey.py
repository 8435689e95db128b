"""Colour -> grey, along the direction in which ink and paper differ. Knows nothing of which of them is darker."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLE_SIDE = 128
"""The direction is found on about this many pixels along the longest side."""


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB `pixels`, uint8 (h, w, 3), as grey, uint8 (h, w); what is grey already comes back as it is.

    The weights of the three channels are the first principal axis of the colours about the paper's (the median of
    the frame), so a red pen on a blue paper of the same lightness keeps its contrast.
    """
    if pixels.ndim == 2:
        return pixels
    first, second, third = cv2.split(pixels)
    if np.array_equal(first, second) and np.array_equal(first, third):
        return np.asarray(first, np.uint8)
    weights = _contrast_direction(pixels)
    offset = -255 * weights[weights < 0].sum()
    return np.asarray(cv2.transform(pixels, np.append(weights, offset)[np.newaxis]), np.uint8)


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether no pixel of `pixels`, uint8 (h, w) or (h, w, 3) RGB, has a colour."""
    if pixels.ndim == 2:
        return True
    first, second, third = cv2.split(pixels)
    return np.array_equal(first, second) and np.array_equal(first, third)


def _contrast_direction(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return three weights whose absolute values sum to 1; the largest is positive."""
    step = max(1, max(pixels.shape) // _SAMPLE_SIDE)
    sample = pixels[::step, ::step].astype(np.float32)
    frame = np.concatenate([sample[0], sample[-1], sample[:, 0], sample[:, -1]])
    deviations = (sample - np.median(frame, axis=0)).reshape(-1, 3)
    axis = np.linalg.eigh(deviations.T @ deviations)[1][:, -1]
    axis *= np.sign(axis.sum()) or 1.0
    return np.asarray(axis / np.abs(axis).sum())
