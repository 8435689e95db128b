"""Synthetic examples: digits in forms that MNIST lacks, and images that show no digit. Knows no network.

Each is drawn into a picture that is larger than 28x28, and `imaging` preprocesses it as it does a user's picture.
"""

import numpy as np
import numpy.typing as npt

from imaging import normalise
from training.data.examples import NOT_A_DIGIT, Examples, Images
from training.data.synthetic_glyphs import DIGITS, SYMBOLS, Stroke, catmull_rom, parse_glyph

Page = npt.NDArray[np.uint8]
"""(h, w): ink 255 on a background of 0."""

PAGE_SIDE = 56
"""In pixels."""
GLYPH_SIDE = 34
"""In pixels, before the glyph is stretched."""

MAX_ROTATION = np.deg2rad(8)
MAX_SHEAR = 0.3
MAX_STRETCH = 0.4
"""The natural logarithm of the largest ratio between the width and the height of a glyph."""
WARP = 0.05
"""The amplitude of the smooth distortion, as a share of the side of the glyph."""
MAX_STROKE_OFFSET = 0.03
"""The largest random offset of a stroke, as a share of the side of the glyph."""
PEN_WIDTHS = (2.0, 7.0)
"""The smallest and the largest, in pixels."""
PAIR_SCALE = np.array([0.7, 1.0])
"""The width and the height of each digit in a pair, relative to a single digit."""
PAIR_GAP = (-0.1, 0.2)
"""The smallest and the largest gap in a pair, as a share of the side of a glyph."""


def generate_digits(count: int, rng: np.random.Generator) -> Examples:
    """Generate `count` examples of digits, equally many of each digit."""
    labels = [index % 10 for index in range(count)]
    images = [normalise(draw_glyph(_choose(DIGITS[label], rng), rng)).image for label in labels]
    return Examples(_stack(images), np.array(labels, np.int32))


def generate_non_digits(count: int, rng: np.random.Generator) -> Examples:
    """Generate `count` examples without a digit. Of every twelve, seven are symbols, and one is of each other kind."""
    kinds = [draw_symbol] * 7 + [draw_digit_pair, draw_scribble, draw_blob, draw_texture, draw_gradient]
    images = [normalise(kinds[index % len(kinds)](rng)).image for index in range(count)]
    return Examples(_stack(images), np.full(count, NOT_A_DIGIT, np.int32))


def draw_symbol(rng: np.random.Generator) -> Page:
    """Draw a letter, a mathematical symbol or a small drawing."""
    return draw_glyph(_choose(SYMBOLS, rng), rng)


def draw_digit_pair(rng: np.random.Generator) -> Page:
    """Draw two digits that touch, or that are so close that `imaging` does not separate them."""
    left, right = ([stroke * PAIR_SCALE for stroke in _choose(DIGITS[int(rng.integers(10))], rng)] for _ in range(2))
    distance = max(stroke[:, 0].max() for stroke in left) - min(stroke[:, 0].min() for stroke in right)
    offset = np.array([distance + rng.uniform(*PAIR_GAP), 0])
    return draw_glyph([*left, *(stroke + offset for stroke in right)], rng)


def draw_scribble(rng: np.random.Generator) -> Page:
    """Draw a curve through more points than a digit has."""
    return draw_glyph([catmull_rom(rng.random((rng.integers(9, 16), 2)))], rng)


def draw_blob(rng: np.random.Generator) -> Page:
    """Draw a few overlapping spots of ink."""
    spots = [np.repeat(rng.uniform(0.3, 0.7, (1, 2)), 2, axis=0) for _ in range(rng.integers(1, 5))]
    return draw_glyph(spots, rng, pen_width=rng.uniform(10, 30))


def draw_texture(rng: np.random.Generator) -> Page:
    """Draw noise with a random grain, from one pixel to a third of the page, and a random threshold."""
    size = int(rng.integers(3, PAGE_SIDE))
    coarse = rng.random((size, size))
    positions = np.linspace(0, size - 1, PAGE_SIDE).astype(int)
    noise = coarse[np.ix_(positions, positions)]
    return _to_page((noise - rng.uniform(0, 0.8)) * rng.uniform(1, 8))


def draw_gradient(rng: np.random.Generator) -> Page:
    """Draw a linear or radial gradient of light. `imaging` keeps its dark part as ink."""
    y, x = np.mgrid[:PAGE_SIDE, :PAGE_SIDE] / PAGE_SIDE - rng.random((2, 1, 1))
    angle = rng.uniform(0, 2 * np.pi)
    distance = np.hypot(x, y) if rng.random() < 0.5 else x * np.cos(angle) + y * np.sin(angle)
    return _to_page((distance - distance.min()) / np.ptp(distance) * rng.uniform(0.2, 1))


def draw_glyph(glyph: list[Stroke], rng: np.random.Generator, pen_width: float | None = None) -> Page:
    """Draw the strokes of a glyph with a random slant, stretch and distortion, and a random pen width if none is given.

    The pen width is in pixels.
    """
    width = rng.uniform(*PEN_WIDTHS) if pen_width is None else pen_width
    middle = np.mean([stroke.mean(axis=0) for stroke in glyph], axis=0)
    transformation = _random_linear_map(rng)
    frequency, phase = rng.uniform(-5, 5, (2, 2)), rng.uniform(0, 2 * np.pi, 2)
    transformed = []
    for stroke in glyph:
        points = stroke - middle + rng.uniform(-MAX_STROKE_OFFSET, MAX_STROKE_OFFSET, 2)
        warped = points + WARP * np.sin(points @ frequency + phase)
        transformed.append(GLYPH_SIDE * warped @ transformation)
    return render(_centre(transformed), width)


def _random_linear_map(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a random linear map, (2, 2): stretch, then shear, then rotation."""
    factor = np.exp(rng.uniform(-MAX_STRETCH, MAX_STRETCH) / 2)
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION)
    stretch = np.diag([factor, 1 / factor])
    shear = np.array([[1, 0], [rng.uniform(-MAX_SHEAR, MAX_SHEAR), 1]])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear_map: npt.NDArray[np.float64] = stretch @ shear @ rotation
    return linear_map


def _centre(glyph: list[Stroke]) -> list[Stroke]:
    points = np.concatenate(glyph)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return [stroke - middle + PAGE_SIDE / 2 for stroke in glyph]


def render(glyph: list[Stroke], pen_width: float) -> Page:
    """Render strokes with a round pen and smooth edges. Points and the pen width are in pixels of the page."""
    starts = np.concatenate([stroke[:-1] for stroke in glyph])  # [n, 2]
    steps = np.concatenate([np.diff(stroke, axis=0) for stroke in glyph])
    pixels = np.arange(PAGE_SIDE) + 0.5
    x, y = (pixels - starts[:, [axis]] for axis in (0, 1))  # [n, PAGE_SIDE], from the start of each of n line segments
    square = (steps**2).sum(axis=1)[:, np.newaxis, np.newaxis]
    along = _outer_sum(x * steps[:, [0]], y * steps[:, [1]])  # [n, PAGE_SIDE, PAGE_SIDE]
    share = np.clip(along / np.maximum(square, 1e-6), 0, 1)
    distance = np.sqrt(np.maximum((_outer_sum(x**2, y**2) - share * (2 * along - share * square)).min(axis=0), 0))
    return _to_page(pen_width / 2 - distance + 0.5)


def _to_page(ink: npt.NDArray[np.float64] | npt.NDArray[np.float32]) -> Page:
    return np.asarray(255 * np.clip(ink, 0, 1), np.uint8)


def _outer_sum(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Add a term for each column, (n, w), to a term for each row, (n, h): (n, h, w)."""
    return x.astype(np.float32)[:, np.newaxis, :] + y.astype(np.float32)[:, :, np.newaxis]


def _stack(images: list[Page]) -> Images:
    return np.array(images, np.uint8).reshape(-1, 28, 28)  # (0, 28, 28) for no images


def _choose(glyphs: tuple[str, ...], rng: np.random.Generator) -> list[Stroke]:
    return parse_glyph(glyphs[rng.integers(len(glyphs))])
