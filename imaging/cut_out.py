"""Cut one digit out of a picture, given where its ink is likely. Does not know who found the ink."""

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.binarise import binarise_digit
from imaging.digit_maps import DigitMaps
from imaging.mnist_form import to_mnist_form
from imaging.normalise_stroke import normalise_stroke_width, stroke_width
from imaging.segments import Segment, box_of

_MARGIN = 0.35
"""How much of the surroundings is cut out with a digit, as a share of its longest side: it shows the paper."""
_PAPER_SIDE = 40
"""The longest side of the copy on which the paper's colour is estimated, in pixels."""
_LONGEST_SIDE = 160
"""The longest side of what is cut out, in pixels. A larger crop is reduced."""
_OTHER_INK = 0.4
"""Ink beside a digit with this likelihood or more is that of its neighbour."""
_MIN_CONTRAST = 90
"""The least contrast of ink, of 255."""
_SURE_INK = 0.6
"""Pixels above this likelihood give the colour of the ink."""
_SAMPLES = 256
"""At most so many of them are looked at."""
_NO_INK = 0.1
"""Pixels below this likelihood, away from all ink, give the colour of the paper."""
_GATE = 0.05, 0.15
"""Below the first likelihood a pixel is no ink of the digit; above the second, its contrast counts in full."""
_MIN_DARKNESS = 0.03
"""The least share of the paper's light that ink takes away. Below it the likelihood itself is the ink."""
_MIN_PAPER = 16.0
"""Added to all colours before they are divided by the paper's: otherwise noise in the dark would count as ink."""


def cut_out_digit(pixels: NDArray[np.uint8], maps: DigitMaps, segment: Segment) -> NDArray[np.uint8]:
    """Return a digit in MNIST's form, uint8 (28, 28); all 0 if there is no ink.

    Args:
        pixels: The picture, uint8 (h, w, 3), RGB.
        maps: Its maps.
        segment: The digit in the maps.

    """
    crop, digit, ink = _crop(pixels, maps, segment)
    contrast = _measure_contrast(crop, digit, ink)
    mask = (contrast > _MIN_CONTRAST).astype(np.uint8)
    if not mask.any():
        return np.zeros((28, 28), np.uint8)
    binarised = binarise_digit(contrast, mask)
    return to_mnist_form(normalise_stroke_width(binarised, stroke_width(binarised)))


def _crop(
    pixels: NDArray[np.uint8], maps: DigitMaps, segment: Segment
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return the digit and its surroundings, uint8 (h, w, 3), and two likelihoods of each pixel, float32 (h, w).

    The first is that of ink of this digit, the second that of ink of any digit.
    """
    left, top, width, height = box_of([segment], maps)
    margin = _MARGIN * max(width, height) + 2
    rows, columns = pixels.shape[:2]
    x, y = (min(max(round(start - margin), 0), length - 1) for start, length in ((left, columns), (top, rows)))
    crop = pixels[y : max(round(top + height + margin), y + 1), x : max(round(left + width + margin), x + 1)]
    reduction = min(_LONGEST_SIDE / max(crop.shape[:2]), 1.0)
    if reduction < 1:
        size = max(round(crop.shape[1] * reduction), 1), max(round(crop.shape[0] * reduction), 1)
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    window, own = _window(maps, segment, margin)
    near = cv2.dilate(own, np.ones((3, 3), np.uint8))
    digit = np.where((window.ink > _OTHER_INK) & (own == 0), 0, near).astype(np.float32) * window.ink
    # The centre of pixel p of the crop lies in the cell (p + 0.5) / reduction pixels from the start of the crop.
    factor = maps.scale / reduction
    offset_x, offset_y = (x - window.left) * maps.scale, (y - window.top) * maps.scale
    matrix = np.array([[factor, 0, offset_x + factor / 2 - 0.5], [0, factor, offset_y + factor / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shape = crop.shape[1], crop.shape[0]
    likely, ink = (
        np.asarray(cv2.warpAffine(each, matrix, shape, flags=flags), np.float32) for each in (digit, window.ink)
    )
    return crop, likely, ink


def _window(maps: DigitMaps, segment: Segment, margin: float) -> tuple[DigitMaps, NDArray[np.float32]]:
    """Return the part of the maps round a digit, and where in it the ink of the digit is: float32 (h, w), 0 or 1."""
    reach = int(np.ceil(margin * maps.scale)) + 2
    top, left = max(segment.top - reach, 0), max(segment.left - reach, 0)
    bottom, right = segment.top + segment.height + reach, segment.left + segment.width + reach
    part = np.s_[top:bottom, left:right]
    place_x, place_y, _, _ = maps.to_picture(left, top, 0, 0)
    window = DigitMaps(maps.ink[part], maps.cores[part], maps.scale, place_x, place_y)
    own = np.zeros(window.ink.shape, np.float32)
    rows, columns = segment.top - top, segment.left - left
    own[rows : rows + segment.height, columns : columns + segment.width] = segment.mask
    return window, own


def _measure_contrast(
    pixels: NDArray[np.uint8], digit: NDArray[np.float32], ink: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return the contrast of the digit with the paper round it: uint8 (h, w), 0 for paper and 255 for full ink.

    It is the share of the paper's light that the ink takes away: the same in light and in shadow. The three channels
    are projected on the colour of the ink, so a printed line of another colour loses contrast.
    """
    contrast = np.zeros(digit.shape, np.uint8)
    best = float(digit.max())
    left, top, width, height = cv2.boundingRect((digit > _GATE[0] * best).astype(np.uint8))
    if not width:
        return contrast
    part = np.s_[top : top + height, left : left + width]
    likelihood = digit[part]
    likely = np.clip((likelihood / best - _GATE[0]) / (_GATE[1] - _GATE[0]), 0, 1)
    contrast[part] = 255 * likely
    colours, paper = pixels[part].astype(np.float32), _estimate_paper(pixels, ink, (left, top, width, height))
    sure = np.flatnonzero(likelihood > _SURE_INK * best)
    sure = sure[:: -(-len(sure) // _SAMPLES)]
    if colours.reshape(-1, 3)[sure].mean() > paper.reshape(-1, 3)[sure].mean():  # light ink on dark paper
        colours, paper = 255 - colours, 255 - paper
    darkness = 1 - (colours + _MIN_PAPER) / (paper + _MIN_PAPER)
    direction = np.median(darkness.reshape(-1, 3)[sure], axis=0)
    length = float(np.linalg.norm(direction))
    if length >= _MIN_DARKNESS:
        contrast[part] = 255 * np.clip(darkness @ (direction / length**2), 0, 1) * likely
    return contrast


def _estimate_paper(
    pixels: NDArray[np.uint8], ink: NDArray[np.float32], part: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Return the colour of the paper at each pixel of a part, float32 (h, w, 3): the mean of the paper near it.

    It changes slowly, so it is computed on a reduced copy.
    """
    scale = min(_PAPER_SIDE / max(ink.shape), 1.0)
    size = max(round(ink.shape[1] * scale), 1), max(round(ink.shape[0] * scale), 1)
    colours = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    near_ink = cv2.dilate(cv2.resize(ink, size, interpolation=cv2.INTER_LINEAR), np.ones((3, 3), np.uint8))
    is_paper = (near_ink < _NO_INK).astype(np.float32)
    sigma = max(size) / 10
    weights = np.asarray(cv2.GaussianBlur(is_paper, (0, 0), sigma), np.float32) + 1e-6
    paper = np.asarray(cv2.GaussianBlur(colours * is_paper[..., np.newaxis], (0, 0), sigma), np.float32)
    smooth = paper / weights[..., np.newaxis]
    left, top, width, height = part
    scale_x, scale_y = size[0] / ink.shape[1], size[1] / ink.shape[0]
    matrix = np.array([[scale_x, 0, (left + 0.5) * scale_x - 0.5], [0, scale_y, (top + 0.5) * scale_y - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(smooth, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)
