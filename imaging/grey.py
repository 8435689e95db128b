"""Convert colour to grey so that ink and background keep their contrast. Does not decide which of the two is darker."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLE_SIDE = 128
"""The longest side of the sample on which the weights of the channels are computed, in pixels, about."""


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `pixels`, uint8 (h, w) grey or (h, w, 3) RGB, as grey, uint8 (h, w). A grey picture is not changed.

    The weights of the channels are the first principal component of the colours, about the background colour (the
    median of the frame). So red ink keeps its contrast on a blue background of the same lightness.
    """
    if pixels.ndim == 2:
        return pixels
    first, second, third = cv2.split(pixels)
    if np.array_equal(first, second) and np.array_equal(first, third):
        return np.asarray(first, np.uint8)
    weights = _principal_component(pixels)
    offset = -255 * weights[weights < 0].sum()
    return np.asarray(cv2.transform(pixels, np.append(weights, offset)[np.newaxis]), np.uint8)


def as_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `pixels`, uint8 (h, w) grey or (h, w, 3) RGB, as RGB."""
    return pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether every pixel of `pixels`, uint8 (h, w) or (h, w, 3) RGB, is grey."""
    if pixels.ndim == 2:
        return True
    first, second, third = cv2.split(pixels)
    return np.array_equal(first, second) and np.array_equal(first, third)


def _principal_component(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (3,), the weights of the channels. Their absolute values sum to 1, and their sum is not negative."""
    step = max(1, max(pixels.shape) // _SAMPLE_SIDE)
    sample = pixels[::step, ::step].astype(np.float32)
    frame = np.concatenate([sample[0], sample[-1], sample[:, 0], sample[:, -1]])
    deviations = (sample - np.median(frame, axis=0)).reshape(-1, 3)
    axis = np.linalg.eigh(deviations.T @ deviations)[1][:, -1]
    axis *= np.sign(axis.sum()) or 1.0
    return np.asarray(axis / np.abs(axis).sum())
