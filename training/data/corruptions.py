"""Corruptions of images, for measuring the robustness of a model. No network is trained on them.

The fifteen corruptions and their severities are those of MNIST-C (Mu and Gilmer 2019, arXiv:1906.02337). They are
implemented independently, so accuracies are close to those on that data set, but not equal.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.examples import Images

Ink = npt.NDArray[np.floating[Any]]
"""Images (n, 28, 28), ink 1 on a background of 0."""
Corruption = Callable[[Ink, np.random.Generator], Ink]

SIDE = 28
_INDEX = np.arange(SIDE, dtype=np.float32)


def corrupt(images: Images, name: str, seed: int = 0) -> Images:
    """Apply one corruption to images, uint8 (n, 28, 28). The same seed gives the same result."""
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(name)])
    corrupted = CORRUPTIONS[name](images.astype(np.float32) / 255, rng)
    return np.rint(255 * np.clip(corrupted, 0, 1)).astype(np.uint8)


def corrupt_round_robin(images: Images, seed: int = 0) -> Images:
    """Apply one corruption to each image, uint8 (n, 28, 28), taking the corruptions in turn.

    Each image appears once, so the images of the result are independent of each other.
    """
    copy = images.copy()
    for offset, name in enumerate(CORRUPTIONS):
        copy[offset :: len(CORRUPTIONS)] = corrupt(images[offset :: len(CORRUPTIONS)], name, seed)
    return copy


def shot_noise(images: Ink, rng: np.random.Generator) -> Ink:
    """Draw each pixel from a Poisson distribution, with a mean of three photons at full ink."""
    return (rng.poisson(images * 3) / 3).astype(np.float32)


def impulse_noise(images: Ink, rng: np.random.Generator) -> Ink:
    """Make 17 % of the pixels black or white."""
    random = rng.random(images.shape, np.float32)
    return np.select([random < 0.085, random < 0.17], [np.float32(0), np.float32(1)], images)


def glass_blur(images: Ink, rng: np.random.Generator) -> Ink:
    """Blur, replace half of the pixels by a neighbour, twice, and blur again."""
    count, blurred = len(images), smooth(images, 0.7)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(2):
        down, right = rng.integers(-1, 2, (2, count, SIDE, SIDE)) * rng.integers(0, 2, (count, SIDE, SIDE))
        sources = np.clip(rows + down, 0, SIDE - 1), np.clip(columns + right, 0, SIDE - 1)
        blurred = blurred[np.arange(count)[:, None, None], *sources]
    return smooth(blurred, 0.7)


def motion_blur(images: Ink, rng: np.random.Generator) -> Ink:
    """Smear the ink to one side, within 45 degrees of the horizontal, with a half-Gaussian of 3 pixels."""
    angle = rng.uniform(-np.pi / 4, np.pi / 4, len(images))
    steps = range(10)
    weights = np.exp([-(step**2) / 18 for step in steps])
    smeared = np.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        smeared += weight * warp(images, shift=(step * np.cos(angle), step * np.sin(angle)))
    return smeared


def shear(images: Ink, rng: np.random.Generator) -> Ink:
    """Slant by 0.4 radians to either side."""
    angle = 0.4 * _random_signs(len(images), rng)
    return warp(images, xy=-np.sin(angle), yy=np.cos(angle))


def scale(images: Ink, _rng: np.random.Generator) -> Ink:
    """Scale to 70 %."""
    return warp(images, xx=1 / 0.7, yy=1 / 0.7)


def rotate(images: Ink, rng: np.random.Generator) -> Ink:
    """Rotate by 0.4 radians to either side."""
    angle = 0.4 * _random_signs(len(images), rng)
    return warp(images, xx=np.cos(angle), xy=-np.sin(angle), yx=np.sin(angle), yy=np.cos(angle))


def brightness(images: Ink, _rng: np.random.Generator) -> Ink:
    """Add half of full ink to each pixel."""
    return images + np.float32(0.5)


def translate(images: Ink, rng: np.random.Generator) -> Ink:
    """Shift by 3 pixels left or right, and by 3 up or down."""
    return warp(images, shift=(3 * _random_signs(len(images), rng), 3 * _random_signs(len(images), rng)))


def stripe(images: Ink, _rng: np.random.Generator) -> Ink:
    """Invert the left and the right quarter."""
    outer = (_INDEX < 7) | (_INDEX >= 21)
    return np.where(outer, 1 - images, images)


def fog(images: Ink, rng: np.random.Generator) -> Ink:
    """Reduce the contrast to a quarter and add clouds: noise whose amplitude falls by 1.4 with each octave."""
    clouds = np.zeros_like(images)
    for octave, size in enumerate((2, 3, 5, 9, 17)):
        clouds += _resize_bilinear(rng.random((len(images), size, size), np.float32)) / 1.4**octave
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    foggy: Ink = (images + 3 * clouds / clouds.max(axis=(1, 2), keepdims=True)) / 4
    return foggy


def spatter(images: Ink, rng: np.random.Generator) -> Ink:
    """Cover parts with dark grey spots."""
    drops = smooth(rng.normal(0.65, 0.3, images.shape).astype(np.float32), 1) > 0.65
    opacity = smooth(drops.astype(np.float32), 1.5)
    opacity = np.where(opacity < 0.8, 0, opacity)
    return images * (1 - opacity) + np.float32(63 / 255) * opacity


def dotted_line(images: Ink, rng: np.random.Generator) -> Ink:
    """Draw a straight dotted line from the left edge to the right edge."""
    start, end = rng.uniform(0, SIDE - 1, (2, len(images), 1))
    return _draw_line(images, start + (end - start) * _INDEX / (SIDE - 1), visible=_INDEX % 4 >= 2)


def zigzag(images: Ink, rng: np.random.Generator) -> Ink:
    """Draw a nearly horizontal zigzag line with a period of 8 and a height of 4 pixels."""
    start, rise = rng.uniform(0, SIDE - 1, (len(images), 1)), rng.uniform(-5, 5, (len(images), 1))
    teeth = 8 * np.abs((_INDEX / 8) % 1 - 0.5) - 2
    return _draw_line(images, start + rise * _INDEX / (SIDE - 1) + teeth, visible=(_INDEX >= 2) & (_INDEX < 25))


def canny_edges(images: Ink, _rng: np.random.Generator) -> Ink:
    """Replace the image by its edges (Canny 1986, doi:10.1109/TPAMI.1986.4767851)."""
    down, right = (np.asarray(gradient) for gradient in np.gradient(smooth(images, 1), axis=(1, 2)))
    magnitude = np.hypot(right, down)
    local_maximum = magnitude >= _neighbour_maximum(magnitude, right, down)
    weak, strong = local_maximum & (magnitude > 0.05), local_maximum & (magnitude > 0.1)
    while not np.array_equal(connected := _dilate(strong) & weak, strong):
        strong = connected
    return np.asarray(strong, np.float32)


CORRUPTIONS: dict[str, Corruption] = {
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "shear": shear,
    "scale": scale,
    "rotate": rotate,
    "brightness": brightness,
    "translate": translate,
    "stripe": stripe,
    "fog": fog,
    "spatter": spatter,
    "dotted_line": dotted_line,
    "zigzag": zigzag,
    "canny_edges": canny_edges,
}

UNLIKE_TRAINING = ("shot_noise", "glass_blur", "motion_blur", "spatter", "dotted_line")
"""The corruptions that resemble no transformation of `strong_augmentation.py`. They show how a model generalises."""


def smooth(images: Ink, deviation: float) -> Ink:
    """Blur with a Gaussian of this standard deviation, in pixels. The image is padded with its edge pixels."""
    padded = np.arange(-12, SIDE + 12)
    weights = np.exp(-((_INDEX[:, np.newaxis] - padded) ** 2) / (2 * deviation**2))
    kernel = np.zeros((SIDE, SIDE))
    for index, column in zip(np.clip(padded, 0, SIDE - 1), weights.T, strict=True):
        kernel[:, index] += column
    blur = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    blurred: Ink = blur @ images @ blur.T
    return blurred


def warp(  # noqa: PLR0913 (an affine map has six numbers)
    images: Ink,
    *,
    xx: npt.ArrayLike = 1.0,
    xy: npt.ArrayLike = 0.0,
    yx: npt.ArrayLike = 0.0,
    yy: npt.ArrayLike = 1.0,
    shift: tuple[npt.ArrayLike, npt.ArrayLike] = (0.0, 0.0),
) -> Ink:
    """Transform images affinely, with bilinear interpolation.

    Args:
        images: (n, 28, 28). Pixels outside an image are 0.
        xx: With xy, yx and yy, the matrix that maps output to input coordinates, about the centre. Each entry is one
            number for all images, or one for each image, (n,).
        xy: See xx.
        yx: See xx.
        yy: See xx.
        shift: How far the result is shifted to the right and down, in pixels; numbers or (n,).

    Returns:
        (n, 28, 28).

    """
    x, y = ((_INDEX - SIDE / 2 + 0.5 - _column(by)) for by in shift)  # [n or 1, SIDE]
    across, down = x[:, np.newaxis, :], y[:, :, np.newaxis]
    centre = SIDE / 2 - 0.5 + 1  # one more for the padding
    column = _column(xx)[..., np.newaxis] * across + _column(xy)[..., np.newaxis] * down + centre
    row = _column(yx)[..., np.newaxis] * across + _column(yy)[..., np.newaxis] * down + centre
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    row, column = (np.clip(position, 0, SIDE + 0.999) for position in (row, column))
    top, left = row.astype(np.intp), column.astype(np.intp)
    below, beside = (row - top).astype(np.float32), (column - left).astype(np.float32)
    image = np.arange(len(images))[:, np.newaxis, np.newaxis]
    upper: Ink = padded[image, top, left] * (1 - beside) + padded[image, top, left + 1] * beside
    lower = padded[image, top + 1, left] * (1 - beside) + padded[image, top + 1, left + 1] * beside
    return upper * (1 - below) + lower * below


def _column(value: npt.ArrayLike) -> Ink:
    return np.asarray(value, np.float32).reshape(-1, 1)


def _random_signs(count: int, rng: np.random.Generator) -> Ink:
    return rng.choice(np.array([-1, 1], np.float32), count)


def _resize_bilinear(coarse: Ink) -> Ink:
    """Enlarge (n, g, g) to (n, 28, 28) by bilinear interpolation."""
    size = coarse.shape[1]
    positions = np.linspace(0, size - 1, SIDE)
    weights = np.maximum(0, 1 - np.abs(positions[:, np.newaxis] - np.arange(size))).astype(np.float32)
    enlarged: Ink = weights @ coarse @ weights.T
    return enlarged


def _draw_line(images: Ink, height: Ink, visible: npt.NDArray[np.bool_]) -> Ink:
    """Draw a line at a height for each column, (n, 28), in the columns that are `visible`, (28,)."""
    distance = np.abs(_INDEX[:, np.newaxis] - height[:, np.newaxis, :])
    return np.maximum(images, np.clip(1.45 - distance, 0, 1) * visible)


def _neighbour_maximum(magnitude: Ink, right: Ink, down: Ink) -> Ink:
    """Return the larger of the two neighbours of each pixel along its gradient, rounded to 45 degrees."""
    padded = np.pad(magnitude, ((0, 0), (1, 1), (1, 1)))
    octant = np.rint(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    steps = [(0, 1), (1, 1), (1, 0), (1, -1)]  # down and right
    pairs = [np.maximum(_shifted(padded, y, x), _shifted(padded, -y, -x)) for y, x in steps]
    largest: Ink = np.choose(octant, pairs)
    return largest


def _shifted(padded: Ink, down: int, right: int) -> Ink:
    return padded[:, 1 + down : 1 + down + SIDE, 1 + right : 1 + right + SIDE]


def _dilate(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Dilate by one pixel in all eight directions."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :, :-2] | padded[:, :, 1:-1] | padded[:, :, 2:]
    return np.asarray(rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:])
