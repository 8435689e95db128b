"""Paper and ink: grey -> how much darker or lighter than its paper each pixel is, and which of them are ink.

Knows nothing of digits: a line of a ruled sheet is ink as well.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_PAPER_SIDE = 96
"""Longest side, in pixels, of the small copy on which the paper is estimated."""

_NOISE_ROWS = 64
"""The noise is measured on about so many rows."""

_FAINTEST = 10
"""The least contrast, of 255, that is ink: 4 % of the paper's lightness."""


def measure_contrast(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much each pixel of `grey`, uint8 (h, w), differs from its paper towards the ink: 0 none, 255 all.

    Uneven light divides out: the paper is estimated everywhere by a morphological closing wider than any stroke.
    Where the ink is lighter than the paper, the picture is inverted first.
    """
    small = _shrink(grey, _PAPER_SIDE)
    if _ink_is_lighter(small):
        grey, small = 255 - grey, 255 - small
    paper = np.maximum(_resize(_close(small), grey.shape), 1)
    return np.asarray(255 - np.asarray(cv2.divide(grey, paper, scale=255), np.uint8))


def find_ink(contrast: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of `contrast`, uint8 (h, w), that are ink: uint8 (h, w), 1 ink and 0 paper.

    A pixel is ink from half the contrast of full ink on. A fifth is enough for one that hangs together with such
    a pixel (hysteresis, as in Canny 1986), so a pen that runs dry keeps its stroke.
    """
    full = _full_ink(contrast, max(_FAINTEST, _noise_level(contrast)))
    strong = (contrast > full // 2).astype(np.uint8)
    weak = (contrast > max(_FAINTEST, full // 5, _texture_level(contrast, strong))).astype(np.uint8) | strong
    _, labels = cv2.connectedComponents(weak, connectivity=8)
    is_ink = np.zeros(labels.max() + 1, np.uint8)
    is_ink[labels[strong > 0]] = 1
    return np.asarray(is_ink[labels])


def _shrink(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return `grey` reduced by area until its longest side is at most `side`."""
    scale = side / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _resize(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(grey, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _kernel(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a disc a third of the picture wide: wider than the stroke of any pen, narrower than most shadows."""
    diameter = max(3, max(small.shape) // 3 | 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)), np.uint8)


def _close(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the paper under dark ink in `small`."""
    kernel = _kernel(small)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.blur(closed, (len(kernel) // 2 | 1,) * 2, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _ink_is_lighter(small: NDArray[np.uint8]) -> bool:
    """Tell whether the ink in `small` is lighter than its paper.

    Nearly everywhere most pixels around are paper, so the median of a wide window is; ink is what deviates from it.
    """
    window = max(3, max(small.shape) // 2 | 1)
    paper = cv2.medianBlur(small, window)
    lighter = np.asarray(cv2.subtract(small, paper), np.float32)
    darker = np.asarray(cv2.subtract(paper, small), np.float32)
    return bool(np.square(lighter).sum() > np.square(darker).sum())


def _noise_level(contrast: NDArray[np.uint8]) -> int:
    """Return the contrast that hardly any bare paper reaches: four standard deviations over the paper.

    The deviation comes from the median difference of neighbours, which strokes, few or blurred, hardly change.
    """
    sample = contrast[:: max(1, len(contrast) // _NOISE_ROWS)].astype(np.int16)
    deviation = 1.4826 * np.median(np.abs(np.diff(sample, axis=1, prepend=sample[:, :1]))) / np.sqrt(2)
    return int(np.percentile(sample, 25) + 4 * deviation)


def _texture_level(contrast: NDArray[np.uint8], strong: NDArray[np.uint8]) -> int:
    """Return the contrast that the paper's own texture hardly reaches: three deviations, away from `strong` ink."""
    reach = max(3, max(contrast.shape) // 32 | 1)
    paper = 1 - np.asarray(cv2.dilate(strong, np.ones((reach, reach), np.uint8)), np.uint8)
    mean, deviation = cv2.meanStdDev(contrast, mask=paper)
    return int(np.ravel(mean)[0] + 3 * np.ravel(deviation)[0])


def _full_ink(contrast: NDArray[np.uint8], floor: int) -> int:
    """Return the contrast of full ink: the mean of Otsu's upper class among the values above `floor`."""
    above = contrast[contrast > floor]
    if above.size == 0:
        return floor
    threshold, _ = cv2.threshold(above, 0, 255, cv2.THRESH_OTSU)
    return int(above[above >= threshold].mean())
