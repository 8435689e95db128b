"""Images of digits spoilt on purpose, to measure what a model withstands. Knows no network and nothing of training.

The fifteen kinds, and how badly each spoils, are those of MNIST-C (Mu and Gilmer 2019, arXiv:1906.02337). Made anew
here, so figures are near those of that data set, not the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data import Images

Ink = npt.NDArray[np.floating[Any]]
"""Images (n, 28, 28), ink 1 on paper 0."""
Corruption = Callable[[Ink, np.random.Generator], Ink]

SIDE = 28
_INDEX = np.arange(SIDE, dtype=np.float32)


def corrupt(images: Images, name: str, seed: int = 0) -> Images:
    """Spoil each of some images, uint8 (n, 28, 28), by one kind of corruption; the same seed spoils them the same."""
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(name)])
    spoilt = CORRUPTIONS[name](images.astype(np.float32) / 255, rng)
    return np.rint(255 * np.clip(spoilt, 0, 1)).astype(np.uint8)


def corrupt_in_turn(images: Images, seed: int = 0) -> Images:
    """Spoil each image by one kind, the kinds in turn: a corrupted copy whose images are independent of each other."""
    copy = images.copy()
    for place, name in enumerate(CORRUPTIONS):
        copy[place :: len(CORRUPTIONS)] = corrupt(images[place :: len(CORRUPTIONS)], name, seed)
    return copy


def shot_noise(images: Ink, rng: np.random.Generator) -> Ink:
    """Count three photons where there is full ink."""
    return (rng.poisson(images * 3) / 3).astype(np.float32)


def impulse_noise(images: Ink, rng: np.random.Generator) -> Ink:
    """Make 17 % of the pixels black or white."""
    drawn = rng.random(images.shape, np.float32)
    return np.select([drawn < 0.085, drawn < 0.17], [np.float32(0), np.float32(1)], images)


def glass_blur(images: Ink, rng: np.random.Generator) -> Ink:
    """Look up every other pixel beside its place, twice, between two blurs."""
    count, blurred = len(images), smooth(images, 0.7)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(2):
        down, right = rng.integers(-1, 2, (2, count, SIDE, SIDE)) * rng.integers(0, 2, (count, SIDE, SIDE))
        sources = np.clip(rows + down, 0, SIDE - 1), np.clip(columns + right, 0, SIDE - 1)
        blurred = blurred[np.arange(count)[:, None, None], *sources]
    return smooth(blurred, 0.7)


def motion_blur(images: Ink, rng: np.random.Generator) -> Ink:
    """Drag the ink to one side, within 45 degrees of the level, fading as a Gaussian of 3 pixels."""
    angle = rng.uniform(-np.pi / 4, np.pi / 4, len(images))
    steps = range(10)
    fading = np.exp([-(step**2) / 18 for step in steps])
    dragged = np.zeros_like(images)
    for step, weight in zip(steps, fading / fading.sum(), strict=True):
        dragged += weight * warp(images, shift=(step * np.cos(angle), step * np.sin(angle)))
    return dragged


def shear(images: Ink, rng: np.random.Generator) -> Ink:
    """Lean by 0.4 radians to either side."""
    lean = 0.4 * _signs(len(images), rng)
    return warp(images, xy=-np.sin(lean), yy=np.cos(lean))


def scale(images: Ink, _rng: np.random.Generator) -> Ink:
    """Shrink to 70 %."""
    return warp(images, xx=1 / 0.7, yy=1 / 0.7)


def rotate(images: Ink, rng: np.random.Generator) -> Ink:
    """Turn by 0.4 radians to either side."""
    angle = 0.4 * _signs(len(images), rng)
    return warp(images, xx=np.cos(angle), xy=-np.sin(angle), yx=np.sin(angle), yy=np.cos(angle))


def brightness(images: Ink, _rng: np.random.Generator) -> Ink:
    """Lighten everything by half of full ink."""
    return images + np.float32(0.5)


def translate(images: Ink, rng: np.random.Generator) -> Ink:
    """Move by 3 pixels to a side and 3 up or down."""
    return warp(images, shift=(3 * _signs(len(images), rng), 3 * _signs(len(images), rng)))


def stripe(images: Ink, _rng: np.random.Generator) -> Ink:
    """Turn the left and the right quarter into their negative."""
    outer = (_INDEX < 7) | (_INDEX >= 21)
    return np.where(outer, 1 - images, images)


def fog(images: Ink, rng: np.random.Generator) -> Ink:
    """Let a quarter of the contrast show through clouds, whose detail fades by 1.4 with each halving of its size."""
    clouds = np.zeros_like(images)
    for octave, grain in enumerate((2, 3, 5, 9, 17)):
        clouds += _stretch(rng.random((len(images), grain, grain), np.float32)) / 1.4**octave
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    misty: Ink = (images + 3 * clouds / clouds.max(axis=(1, 2), keepdims=True)) / 4
    return misty


def spatter(images: Ink, rng: np.random.Generator) -> Ink:
    """Cover parts with spots of a dark grey."""
    drops = smooth(rng.normal(0.65, 0.3, images.shape).astype(np.float32), 1) > 0.65
    mud = smooth(drops.astype(np.float32), 1.5)
    mud = np.where(mud < 0.8, 0, mud)
    return images * (1 - mud) + np.float32(63 / 255) * mud


def dotted_line(images: Ink, rng: np.random.Generator) -> Ink:
    """Draw a straight line of dots from the left to the right."""
    start, end = rng.uniform(0, SIDE - 1, (2, len(images), 1))
    return _draw_line(images, start + (end - start) * _INDEX / (SIDE - 1), there=_INDEX % 4 >= 2)


def zigzag(images: Ink, rng: np.random.Generator) -> Ink:
    """Draw a nearly level line from the left to the right, in teeth of 8 by 4 pixels."""
    start, rise = rng.uniform(0, SIDE - 1, (len(images), 1)), rng.uniform(-5, 5, (len(images), 1))
    teeth = 8 * np.abs((_INDEX / 8) % 1 - 0.5) - 2
    return _draw_line(images, start + rise * _INDEX / (SIDE - 1) + teeth, there=(_INDEX >= 2) & (_INDEX < 25))


def canny_edges(images: Ink, _rng: np.random.Generator) -> Ink:
    """Keep the outlines alone (Canny 1986, doi:10.1109/TPAMI.1986.4767851)."""
    down, right = (np.asarray(slope) for slope in np.gradient(smooth(images, 1), axis=(1, 2)))
    slope = np.hypot(right, down)
    ridge = slope >= _higher_neighbour(slope, right, down)
    weak, strong = ridge & (slope > 0.05), ridge & (slope > 0.1)
    while not np.array_equal(grown := _dilate(strong) & weak, strong):
        strong = grown
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


def smooth(images: Ink, deviation: float) -> Ink:
    """Blur with a Gaussian of that standard deviation in pixels; past the border is what is at the border."""
    reach = np.arange(-12, SIDE + 12)
    weights = np.exp(-((_INDEX[:, np.newaxis] - reach) ** 2) / (2 * deviation**2))
    row = np.zeros((SIDE, SIDE))
    for index, column in zip(np.clip(reach, 0, SIDE - 1), weights.T, strict=True):
        row[:, index] += column
    blur = (row / row.sum(axis=1, keepdims=True)).astype(np.float32)
    blurred: Ink = blur @ images @ blur.T
    return blurred


def warp(  # noqa: PLR0913 (a map of the plane has that many numbers)
    images: Ink,
    *,
    xx: npt.ArrayLike = 1.0,
    xy: npt.ArrayLike = 0.0,
    yx: npt.ArrayLike = 0.0,
    yy: npt.ArrayLike = 1.0,
    shift: tuple[npt.ArrayLike, npt.ArrayLike] = (0.0, 0.0),
) -> Ink:
    """Look up each pixel at `matrix @ (x, y)` about the middle, then move right and down by `shift` pixels.

    Each number is one for all images or one for each, (n,). Between pixels it interpolates; outside there is no ink.
    """
    x, y = ((_INDEX - SIDE / 2 + 0.5 - _column(by)) for by in shift)  # [n or 1, SIDE]
    across, down = x[:, np.newaxis, :], y[:, :, np.newaxis]
    middle = SIDE / 2 - 0.5 + 1  # one more for the frame of paper
    column = _column(xx)[..., np.newaxis] * across + _column(xy)[..., np.newaxis] * down + middle
    row = _column(yx)[..., np.newaxis] * across + _column(yy)[..., np.newaxis] * down + middle
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    row, column = (np.clip(place, 0, SIDE + 0.999) for place in (row, column))
    top, left = row.astype(np.intp), column.astype(np.intp)
    low, far = (row - top).astype(np.float32), (column - left).astype(np.float32)
    image = np.arange(len(images))[:, np.newaxis, np.newaxis]
    upper: Ink = framed[image, top, left] * (1 - far) + framed[image, top, left + 1] * far
    lower = framed[image, top + 1, left] * (1 - far) + framed[image, top + 1, left + 1] * far
    return upper * (1 - low) + lower * low


def _column(value: npt.ArrayLike) -> Ink:
    return np.asarray(value, np.float32).reshape(-1, 1)


def _signs(count: int, rng: np.random.Generator) -> Ink:
    return rng.choice(np.array([-1, 1], np.float32), count)


def _stretch(coarse: Ink) -> Ink:
    """Enlarge (n, g, g) to (n, 28, 28), straight between the values."""
    grain = coarse.shape[1]
    places = np.linspace(0, grain - 1, SIDE)
    weights = np.maximum(0, 1 - np.abs(places[:, np.newaxis] - np.arange(grain))).astype(np.float32)
    stretched: Ink = weights @ coarse @ weights.T
    return stretched


def _draw_line(images: Ink, height: Ink, there: npt.NDArray[np.bool_]) -> Ink:
    """Draw a line that is at a height, (n, 28), in each column where it is `there`, (28,)."""
    distance = np.abs(_INDEX[:, np.newaxis] - height[:, np.newaxis, :])
    return np.maximum(images, np.clip(1.45 - distance, 0, 1) * there)


def _higher_neighbour(slope: Ink, right: Ink, down: Ink) -> Ink:
    """Give the higher of the two neighbours of each pixel across the edge, whose direction is rounded to 45 degrees."""
    framed = np.pad(slope, ((0, 0), (1, 1), (1, 1)))
    octant = np.rint(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    steps = [(0, 1), (1, 1), (1, 0), (1, -1)]  # down and right
    pairs = [np.maximum(_moved(framed, y, x), _moved(framed, -y, -x)) for y, x in steps]
    higher: Ink = np.choose(octant, pairs)
    return higher


def _moved(framed: Ink, down: int, right: int) -> Ink:
    return framed[:, 1 + down : 1 + down + SIDE, 1 + right : 1 + right + SIDE]


def _dilate(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Grow by one pixel to all eight sides."""
    framed = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    level = framed[:, :, :-2] | framed[:, :, 1:-1] | framed[:, :, 2:]
    return np.asarray(level[:, :-2] | level[:, 1:-1] | level[:, 2:])
