"""Paper and ink: grey -> how much darker or lighter than its paper each pixel is, and which of them are ink.

Knows nothing of digits: a line of a ruled sheet is ink as well.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_PAPER_SIDE = 64
"""Longest side, in pixels, of the small copy on which the paper is estimated."""

_LEVEL = np.float32(200)
"""What level paper is brought to; lighter places have room above."""

_DARKEST_PAPER = 32
"""On paper darker than this, contrast is taken as if it were as light as this: noise would be blown up."""

_NOISE_ROWS = 16
"""The noise is measured on about so many rows."""

_EVEN = 6
"""On even paper no pixel of the frame, and not half of all, is further than this many levels from the rest."""

_BORDER = 32
"""The border is this part of the longest side wide."""

_VALUES = np.arange(256, dtype=np.float64)

_FAINTEST = 10
"""The least contrast, of 255, that is ink: 4 % of the paper's lightness."""


def measure_contrast(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much each pixel of `grey`, uint8 (h, w), differs from its paper towards the ink: 0 none, 255 all.

    Uneven light divides out. Where the ink is lighter than the paper, the picture is inverted first.
    """
    small = _shrink(grey, _PAPER_SIDE)
    if _ink_is_lighter(small):
        grey, small = 255 - grey, 255 - small
    paper = _resize(_estimate_paper(small), grey.shape)
    darker = cv2.subtract(paper, grey)
    return np.asarray(cv2.divide(darker, np.maximum(paper, _DARKEST_PAPER), scale=255), np.uint8)


def measure_contrast_on_even_paper(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the same at a small part of the cost, or None if the paper of `grey` is not of one lightness."""
    level = _even_paper(grey)
    if level is None:
        return None
    paper, values = (255 - level, _VALUES[::-1]) if cv2.mean(grey)[0] > level else (level, _VALUES)
    contrast = np.clip((paper - values) * (255 / max(paper, _DARKEST_PAPER)), 0, 255)
    return np.asarray(cv2.LUT(grey, np.rint(contrast).astype(np.uint8)), np.uint8)


def _even_paper(grey: NDArray[np.uint8]) -> float | None:
    """Return the lightness of the paper of `grey`, if it is the same along the whole frame and for most pixels."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    least, most, _, _ = cv2.minMaxLoc(frame)
    if most - least > 2 * _EVEN:
        return None
    level = cv2.mean(frame)[0]
    paper = cv2.inRange(grey, np.array(level - _EVEN), np.array(level + _EVEN))
    return level if cv2.countNonZero(paper) > grey.size / 2 else None


def find_ink(contrast: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of `contrast`, uint8 (h, w), that are ink: uint8 (h, w), 1 ink and 0 paper.

    A pixel is ink from half the contrast of full ink on. A fifth is enough for one that hangs together with such
    a pixel (hysteresis, as in Canny 1986), so a pen that runs dry keeps its stroke.
    """
    full = _full_ink(contrast, max(_FAINTEST, _noise_level(contrast)))
    strong = (contrast > full // 2).view(np.uint8)
    weak = (contrast > max(_FAINTEST, full // 5, _texture_level(contrast, strong))).view(np.uint8) | strong
    _only_strong_along_border(weak, strong)
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    if count == 2 and strong.any():
        return weak
    is_ink = np.zeros(count, np.uint8)
    is_ink[labels[strong > 0]] = 1
    return np.asarray(is_ink[labels])


def _only_strong_along_border(weak: NDArray[np.uint8], strong: NDArray[np.uint8]) -> None:
    """Leave only `strong` ink along the border of `weak`, where pictures darken and shadows begin."""
    margin = max(weak.shape) // _BORDER
    for edge in (
        np.s_[:margin],
        np.s_[weak.shape[0] - margin :],
        np.s_[:, :margin],
        np.s_[:, weak.shape[1] - margin :],
    ):
        weak[edge] = strong[edge]


def _shrink(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return `grey` reduced by area until its longest side is at most `side`."""
    scale = side / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _resize(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(grey, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _estimate_paper(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the paper under the dark ink in `small`, uint8 (h, w).

    A closing with a disc wider than any stroke fills the ink. It leaves a slope at the edges of a picture, where the
    disc sees one side only, so the light as a whole, a surface of the second degree, is divided out before.
    """
    light = _fit_light(small)
    level = np.clip(small * (_LEVEL / light), 0, 255).astype(np.uint8)
    diameter = max(3, max(small.shape) // 2 | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    closed = cv2.morphologyEx(level, cv2.MORPH_CLOSE, disc)
    smooth = np.asarray(cv2.blur(closed, (diameter // 2 | 1,) * 2, borderType=cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(np.clip(np.rint(smooth * light / _LEVEL), 0, 255), np.uint8)


def _fit_light(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the quadratic surface, (h, w), through the paper of `small`: least squares, without what is darker."""
    height, width = small.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1).astype(np.float32)
    terms = np.stack([np.ones_like(rows), rows, columns, rows * rows, rows * columns, columns * columns], axis=1)
    values = small.astype(np.float32).ravel()
    paper = np.ones_like(values)
    surface = values
    for _ in range(3):
        weighted = terms * paper[:, np.newaxis]
        surface = terms @ np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        residual = values - surface
        spread = np.sqrt(np.average(residual**2, weights=paper + 1e-6))
        paper = (residual > -spread).astype(np.float32)
    return np.asarray(np.clip(surface, max(1, 0.2 * surface.max()), None).reshape(small.shape))


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
    sample = contrast[:: max(1, len(contrast) // _NOISE_ROWS)]
    differences = cv2.absdiff(sample[:, 1:], sample[:, :-1]) if sample.shape[1] > 1 else np.zeros(1, np.uint8)
    deviation = 1.4826 * _quantile(np.asarray(differences, np.uint8), 0.5) / np.sqrt(2)
    return int(_quantile(sample, 0.25) + 4 * deviation)


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    """Return the value that `share` of the `values` are below; bytes are sorted by radix, so this is quick."""
    return int(np.sort(values, axis=None, kind="stable")[int(share * values.size)])


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
