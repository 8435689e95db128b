"""Composite a picture with transparency on a background of a suitable colour. Knows no file format."""

import sys
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_VALUES = np.arange(256, dtype=np.float64)

_MAX_COLOUR_DEVIATION = 16
"""The largest standard deviation of each channel among pixels that count as one colour."""


def composite_on_background(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `rgba`, uint8 (h, w, 4), as RGB, uint8 (h, w, 3), with a background where it is transparent.

    If the visible pixels have one colour or are at most half of the picture, they are ink: the background is white
    or black, whichever has more contrast with them. Otherwise the background is the median of the visible pixels. If
    no pixel is visible, the alpha channel is ignored: it is an error of the program that wrote the file.
    """
    *colours, alpha = (np.asarray(channel, np.uint8) for channel in cv2.split(rgba))
    minimum, maximum, _, _ = cv2.minMaxLoc(alpha)
    if minimum == 255 or maximum == 0:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    if all(np.array_equal(colours[0], colour) for colour in colours[1:]):
        colours = colours[:1]
    visible = (alpha >= maximum / 2).view(np.uint8)
    backgrounds = _choose_background([_histogram(colour, visible) for colour in colours], alpha.size)
    channels = [
        _composite_channel(colour, alpha, background) for colour, background in zip(colours, backgrounds, strict=True)
    ]
    return np.asarray(cv2.merge(channels * (3 // len(channels))), np.uint8)


def _composite_channel(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], background: float) -> NDArray[np.uint8]:
    """Return `colour`, uint8 (h, w), composited on a `background` of this value."""
    pairs = np.asarray(cv2.merge((alpha, colour) if sys.byteorder == "little" else (colour, alpha)))
    return np.take(_composite_table(background), pairs.view(np.uint16)[..., 0])


def _choose_background(histograms: list[NDArray[np.int64]], pixels: int) -> list[float]:
    """Return the background of each channel, from the `histograms`, (256,), of the visible values of each channel.

    `pixels` is the number of pixels of the whole picture.
    """
    visible = int(histograms[0].sum())
    means = [float(_VALUES @ counts) / visible for counts in histograms]
    variances = [
        float((_VALUES - mean) ** 2 @ counts) / visible for mean, counts in zip(means, histograms, strict=True)
    ]
    if visible > pixels / 2 and max(variances) > _MAX_COLOUR_DEVIATION**2:
        return [_median(counts) for counts in histograms]
    return [255.0 if sum(means) / len(means) < 128 else 0.0] * len(means)


def _histogram(values: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts = cv2.calcHist([values], [0], mask, [256], [0, 256])
    return np.asarray(counts, np.int64).ravel()


def _median(counts: NDArray[np.int64]) -> float:
    cumulative = counts.cumsum()
    total = int(cumulative[-1])
    return float(np.searchsorted(cumulative, [(total + 1) // 2, total // 2 + 1]).mean())


@lru_cache(maxsize=16)
def _composite_table(background: float) -> NDArray[np.uint8]:
    """Return uint8 (65536,): the composited value at the index 256 * colour + alpha, on a background of this value."""
    opacity = np.arange(256) / np.float32(255)
    return np.rint(np.arange(256)[:, np.newaxis] * opacity + background * (1 - opacity)).astype(np.uint8).ravel()
