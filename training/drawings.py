"""Examples drawn in code: digits as MNIST's writers do not write them, and what is no digit. Knows no network.

Each is drawn as a page, dark or light, and read with `imaging`, so that a model learns what it will be shown.
"""

import numpy as np
import numpy.typing as npt

from imaging import normalise
from training.data import NOT_A_DIGIT, Examples, Images
from training.glyphs import DIGITS, SIGNS, Stroke, interpolate, strokes

Page = npt.NDArray[np.uint8]
"""(h, w): ink 255 on paper 0."""

SIDE = 56
"""Of a page, in pixels."""
GLYPH_SIDE = 34
"""Of a glyph on it, before it is stretched."""

ROTATION = np.deg2rad(8)
SHEAR = 0.3
STRETCH = 0.4
"""Natural logarithm of the largest factor between a glyph's width and its height."""
WARP = 0.05
"""How far its parts move against each other, as a share of its side."""
SLIP = 0.03
"""How far a stroke is out of its place, as a share of the glyph's side."""
PENS = (2.0, 7.0)
"""The thinnest and the thickest, in pixels."""
NARROW = np.array([0.7, 1.0])
"""How wide, and how high, each of two digits side by side is, as a share of a lone one."""
GAP = (-0.1, 0.2)
"""The least and the most between them, as a share of a glyph's side."""


def draw_digits(count: int, rng: np.random.Generator) -> Examples:
    """Draw digits, evenly of each, in the hands of `training/glyphs.py`."""
    labels = [index % 10 for index in range(count)]
    images = [normalise(draw(_pick(DIGITS[label], rng), rng)).image for label in labels]
    return Examples(_stack(images), np.array(labels, np.int32))


def draw_no_digits(count: int, rng: np.random.Generator) -> Examples:
    """Draw what is no digit: seven signs of twelve, and one each of what else there is."""
    kinds = [draw_sign] * 7 + [draw_two_digits, draw_scribble, draw_blot, draw_texture, draw_gradient]
    images = [normalise(kinds[index % len(kinds)](rng)).image for index in range(count)]
    return Examples(_stack(images), np.full(count, NOT_A_DIGIT, np.int32))


def draw_sign(rng: np.random.Generator) -> Page:
    """Draw a letter, a sign of arithmetic or a small drawing."""
    return draw(_pick(SIGNS, rng), rng)


def draw_two_digits(rng: np.random.Generator) -> Page:
    """Draw two digits so near that `imaging` takes both, or that they touch."""
    left, right = ([stroke * NARROW for stroke in _pick(DIGITS[int(rng.integers(10))], rng)] for _ in range(2))
    apart = max(stroke[:, 0].max() for stroke in left) - min(stroke[:, 0].min() for stroke in right)
    aside = np.array([apart + rng.uniform(*GAP), 0])
    return draw([*left, *(stroke + aside for stroke in right)], rng)


def draw_scribble(rng: np.random.Generator) -> Page:
    """Draw a curve through more places than any digit's."""
    return draw([interpolate(rng.random((rng.integers(9, 16), 2)))], rng)


def draw_blot(rng: np.random.Generator) -> Page:
    """Draw a few spots of ink that run into each other."""
    spots = [np.repeat(rng.uniform(0.3, 0.7, (1, 2)), 2, axis=0) for _ in range(rng.integers(1, 5))]
    return draw(spots, rng, pen=rng.uniform(10, 30))


def draw_texture(rng: np.random.Generator) -> Page:
    """Draw noise of a grain between pixels and a third of the page, all of it or what is darkest."""
    grain = int(rng.integers(3, SIDE))
    coarse = rng.random((grain, grain))
    places = np.linspace(0, grain - 1, SIDE).astype(int)
    noise = coarse[np.ix_(places, places)]
    return _to_page((noise - rng.uniform(0, 0.8)) * rng.uniform(1, 8))


def draw_gradient(rng: np.random.Generator) -> Page:
    """Draw light that falls off to a side or all round: `imaging` is left with the wedge or the rim of a shadow."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - rng.random((2, 1, 1))
    angle = rng.uniform(0, 2 * np.pi)
    distance = np.hypot(x, y) if rng.random() < 0.5 else x * np.cos(angle) + y * np.sin(angle)
    return _to_page((distance - distance.min()) / np.ptp(distance) * rng.uniform(0.2, 1))


def draw(glyph: list[Stroke], rng: np.random.Generator, pen: float | None = None) -> Page:
    """Draw strokes once, in a hand of the moment: leaning, stretched, warped, with some pen."""
    width = rng.uniform(*PENS) if pen is None else pen
    middle = np.mean([stroke.mean(axis=0) for stroke in glyph], axis=0)
    hand = _draw_hand(rng)
    wave, phase = rng.uniform(-5, 5, (2, 2)), rng.uniform(0, 2 * np.pi, 2)
    moved = []
    for stroke in glyph:
        points = stroke - middle + rng.uniform(-SLIP, SLIP, 2)
        warped = points + WARP * np.sin(points @ wave + phase)
        moved.append(GLYPH_SIDE * warped @ hand)
    return render(_centre(moved), width)


def _draw_hand(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw the linear map, (2, 2), of how someone writes: stretch, then shear, then rotation."""
    factor = np.exp(rng.uniform(-STRETCH, STRETCH) / 2)
    turn = rng.uniform(-ROTATION, ROTATION)
    stretch = np.diag([factor, 1 / factor])
    shear = np.array([[1, 0], [rng.uniform(-SHEAR, SHEAR), 1]])
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    hand: npt.NDArray[np.float64] = stretch @ shear @ rotation
    return hand


def _centre(glyph: list[Stroke]) -> list[Stroke]:
    points = np.concatenate(glyph)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return [stroke - middle + SIDE / 2 for stroke in glyph]


def render(glyph: list[Stroke], width: float) -> Page:
    """Draw strokes, in pixels of the page, with a round pen of a width in pixels and smooth edges."""
    starts = np.concatenate([stroke[:-1] for stroke in glyph])  # [n, 2]
    steps = np.concatenate([np.diff(stroke, axis=0) for stroke in glyph])
    pixels = np.arange(SIDE) + 0.5
    x, y = (pixels - starts[:, [axis]] for axis in (0, 1))  # [n, SIDE], from the start of each of the n pieces
    square = (steps**2).sum(axis=1)[:, np.newaxis, np.newaxis]
    along = _outer_sum(x * steps[:, [0]], y * steps[:, [1]])  # [n, SIDE, SIDE]
    share = np.clip(along / np.maximum(square, 1e-6), 0, 1)
    distance = np.sqrt(np.maximum((_outer_sum(x**2, y**2) - share * (2 * along - share * square)).min(axis=0), 0))
    return _to_page(width / 2 - distance + 0.5)


def _to_page(ink: npt.NDArray[np.float64] | npt.NDArray[np.float32]) -> Page:
    return np.asarray(255 * np.clip(ink, 0, 1), np.uint8)


def _outer_sum(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Add what depends on the column, (n, w), to what depends on the row, (n, h): (n, h, w)."""
    return x.astype(np.float32)[:, np.newaxis, :] + y.astype(np.float32)[:, :, np.newaxis]


def _stack(images: list[Page]) -> Images:
    return np.array(images, np.uint8).reshape(-1, 28, 28)  # (0, 28, 28) if there are none


def _pick(glyphs: tuple[str, ...], rng: np.random.Generator) -> list[Stroke]:
    return strokes(glyphs[rng.integers(len(glyphs))])
