"""Estimate the background of a grey picture, measure the contrast of each pixel with it, and find the ink.

Does not select the digit: printed lines are ink, too.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_BACKGROUND_SIDE = 64
"""The longest side of the small copy on which the background is estimated, in pixels."""

_FLAT_LEVEL = np.float32(200)
"""The grey value of the background after the illumination is divided out. Lighter pixels have values above it."""

_MIN_BACKGROUND = 32
"""The least divisor of the contrast. Without it, the noise of a darker background would be amplified."""

_NOISE_ROWS = 16
"""The number of rows on which the noise is measured, about."""

_UNIFORMITY_TOLERANCE = 6
"""The largest deviation of a uniform background from its mean, in grey values."""

_BORDER_DIVISOR = 32
"""The width of a picture's border is its longest side divided by this."""

_GREY_VALUES = np.arange(256, dtype=np.float64)

_MIN_INK_CONTRAST = 10
"""The least contrast of ink, of 255: 4 % of the background's grey value."""


def measure_contrast(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the contrast of each pixel of `grey`, uint8 (h, w), with its background: 0 for none, 255 for full.

    Dividing by the background removes uneven illumination. A picture with light ink on a dark background is inverted
    first.
    """
    small = _reduce(grey, _BACKGROUND_SIDE)
    if _is_ink_lighter(small):
        grey, small = 255 - grey, 255 - small
    background = _resize(_estimate_background(small), grey.shape)
    darker = cv2.subtract(background, grey)
    return np.asarray(cv2.divide(darker, np.maximum(background, _MIN_BACKGROUND), scale=255), np.uint8)


def measure_contrast_on_uniform_background(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return what `measure_contrast` returns, at much lower cost, or None if the background is not uniform."""
    level = _uniform_background(grey)
    if level is None:
        return None
    is_inverted = cv2.mean(grey)[0] > level
    background, values = (255 - level, _GREY_VALUES[::-1]) if is_inverted else (level, _GREY_VALUES)
    contrast = np.clip((background - values) * (255 / max(background, _MIN_BACKGROUND)), 0, 255)
    return np.asarray(cv2.LUT(grey, np.rint(contrast).astype(np.uint8)), np.uint8)


def _uniform_background(grey: NDArray[np.uint8]) -> float | None:
    """Return the grey value of the background, if it is the same on the whole frame and in more than half of `grey`."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    minimum, maximum, _, _ = cv2.minMaxLoc(frame)
    if maximum - minimum > 2 * _UNIFORMITY_TOLERANCE:
        return None
    level = cv2.mean(frame)[0]
    lower, upper = np.array(level - _UNIFORMITY_TOLERANCE), np.array(level + _UNIFORMITY_TOLERANCE)
    return level if cv2.countNonZero(cv2.inRange(grey, lower, upper)) > grey.size / 2 else None


def find_ink(contrast: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ink mask of `contrast`, uint8 (h, w): uint8 (h, w), 1 for ink and 0 for background.

    The threshold has hysteresis (Canny 1986): half the contrast of full ink, or a fifth of it for a pixel that is
    connected to such a pixel. So a stroke stays whole where the pen runs dry.
    """
    full = _full_ink_contrast(contrast, max(_MIN_INK_CONTRAST, _noise_threshold(contrast)))
    strong = (contrast > full // 2).view(np.uint8)
    weak_threshold = max(_MIN_INK_CONTRAST, full // 5, _texture_threshold(contrast, strong))
    weak = (contrast > weak_threshold).view(np.uint8) | strong
    _remove_weak_ink_at_border(weak, strong)
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    if count == 2 and strong.any():
        return weak
    is_ink = np.zeros(count, np.uint8)
    is_ink[labels[strong > 0]] = 1
    return np.asarray(is_ink[labels])


def _remove_weak_ink_at_border(weak: NDArray[np.uint8], strong: NDArray[np.uint8]) -> None:
    """Set `weak` to `strong` along the border, in place: there, vignetting and shadows look like weak ink."""
    width = max(weak.shape) // _BORDER_DIVISOR
    for edge in (
        np.s_[:width],
        np.s_[weak.shape[0] - width :],
        np.s_[:, :width],
        np.s_[:, weak.shape[1] - width :],
    ):
        weak[edge] = strong[edge]


def _reduce(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return `grey` reduced by area averaging to a longest side of at most `side` pixels."""
    scale = side / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _resize(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(grey, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _estimate_background(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the background under the dark ink in `small`, uint8 (h, w).

    A morphological closing with a disc wider than any stroke removes the ink. At the edges of a picture, the disc
    sees one side only, so the closing would be wrong under sloping illumination. Therefore the illumination, a
    quadratic surface, is divided out first and multiplied in again afterwards.
    """
    illumination = _fit_illumination(small)
    flat = np.clip(small * (_FLAT_LEVEL / illumination), 0, 255).astype(np.uint8)
    diameter = max(3, max(small.shape) // 2 | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    closed = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, disc)
    smooth = np.asarray(cv2.blur(closed, (diameter // 2 | 1,) * 2, borderType=cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(np.clip(np.rint(smooth * illumination / _FLAT_LEVEL), 0, 255), np.uint8)


def _fit_illumination(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (h, w), the least-squares quadratic surface through the background of `small`, uint8 (h, w).

    Pixels more than one standard deviation below the surface are ink and are left out of the next fit.
    """
    height, width = small.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1).astype(np.float32)
    terms = np.stack([np.ones_like(rows), rows, columns, rows * rows, rows * columns, columns * columns], axis=1)
    values = small.astype(np.float32).ravel()
    background = np.ones_like(values)
    surface = values
    for _ in range(3):
        weighted = terms * background[:, np.newaxis]
        surface = terms @ np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        residual = values - surface
        deviation = np.sqrt(np.average(residual**2, weights=background + 1e-6))
        background = (residual > -deviation).astype(np.float32)
    return np.asarray(np.clip(surface, max(1, 0.2 * surface.max()), None).reshape(small.shape))


def _is_ink_lighter(small: NDArray[np.uint8]) -> bool:
    """Tell whether the ink in `small`, uint8 (h, w), is lighter than the background.

    Most pixels in a wide window are background, so their median is the background. Ink deviates from it.
    """
    window = max(3, max(small.shape) // 2 | 1)
    background = cv2.medianBlur(small, window)
    lighter = np.asarray(cv2.subtract(small, background), np.float32)
    darker = np.asarray(cv2.subtract(background, small), np.float32)
    return bool(np.square(lighter).sum() > np.square(darker).sum())


def _noise_threshold(contrast: NDArray[np.uint8]) -> int:
    """Return the contrast that hardly any background pixel exceeds: four standard deviations above the background.

    The standard deviation is estimated from the median difference of neighbouring pixels, which ink hardly changes.
    """
    sample = contrast[:: max(1, len(contrast) // _NOISE_ROWS)]
    differences = cv2.absdiff(sample[:, 1:], sample[:, :-1]) if sample.shape[1] > 1 else np.zeros(1, np.uint8)
    deviation = 1.4826 * _quantile(np.asarray(differences, np.uint8), 0.5) / np.sqrt(2)
    return int(_quantile(sample, 0.25) + 4 * deviation)


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    """Return the quantile of `values` at `share`, 0 to 1. NumPy sorts bytes by radix sort, which is fast."""
    return int(np.sort(values, axis=None, kind="stable")[int(share * values.size)])


def _texture_threshold(contrast: NDArray[np.uint8], strong: NDArray[np.uint8]) -> int:
    """Return the contrast that hardly any texture exceeds: three standard deviations, away from `strong` ink."""
    reach = max(3, max(contrast.shape) // 32 | 1)
    background = 1 - np.asarray(cv2.dilate(strong, np.ones((reach, reach), np.uint8)), np.uint8)
    mean, deviation = cv2.meanStdDev(contrast, mask=background)
    return int(np.ravel(mean)[0] + 3 * np.ravel(deviation)[0])


def _full_ink_contrast(contrast: NDArray[np.uint8], floor: int) -> int:
    """Return the contrast of full ink: the mean of the upper class of Otsu's threshold, among the values > `floor`."""
    above = contrast[contrast > floor]
    if above.size == 0:
        return floor
    threshold, _ = cv2.threshold(above, 0, 255, cv2.THRESH_OTSU)
    return int(above[above >= threshold].mean())
