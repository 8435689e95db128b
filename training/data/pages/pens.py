"""Draws digits and other glyphs with many pens: from images of MNIST, and from strokes. Knows no page."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from training.data.pages.canvas import Coverage
from training.data.synthetic_glyphs import Stroke

_SCALE = 2
"""The pixels of a `Field` for each pixel of an image of MNIST."""
_MARGIN = 8
"""Background round the digit in a `Field`, in its pixels."""
THINNEST = 0.9
"""The least width of a stroke, in pixels. A thinner one becomes fainter instead: see `opacity`."""
_BLUR = 0.8
"""The standard deviation of the blur of a `Field`, in its pixels."""
_JAGGED = 0.3
"""The coverage from which a pixel is full of ink, without antialiasing: with 0.5 the thinnest lines would have gaps."""
_DIGIT_SIDE = 20 * _SCALE
"""The longest side of the digit in a `Field`, in its pixels."""


Field = npt.NDArray[np.float32]
"""(h, w): at each pixel the distance to an outline, or the square of that to a centreline, in pixels. From it, a digit
can be drawn with many pens."""


class Pen(NamedTuple):
    """How strokes look. All widths are shares of the height of the digit."""

    width: float | None
    """Of strokes with a uniform width; None keeps the outline of the image."""
    growth: float
    """By how much the outline of the image grows on each side, without `width`."""
    grain: float
    """The share of the stroke that the paper's grain leaves white, 0 to 1."""
    pressure: float
    """The amplitude of the slow changes of opacity along the strokes, 0 to 1."""
    is_jagged: bool
    """Whether its edges are hard, as in a program without antialiasing."""


def random_pen(rng: np.random.Generator) -> Pen:
    """Return a random pen: mostly the one of the image, otherwise hairlines to felt pens."""
    uniform = rng.random() < 0.45
    return Pen(
        width=float(np.exp(rng.uniform(np.log(0.012), np.log(0.2)))) if uniform else None,
        growth=float(rng.uniform(-0.022, 0.035)),
        grain=float(rng.uniform(0, 0.6)) if rng.random() < 0.25 else 0.0,
        pressure=float(rng.uniform(0, 0.6)) if rng.random() < 0.3 else 0.0,
        is_jagged=bool(rng.random() < 0.2),
    )


def trace_outline(image: npt.NDArray[np.uint8]) -> Field:
    """Return the distance to the outline of a digit, negative outside of the ink, for an image uint8 (28, 28)."""
    ink = _enlarge(image)
    inside = cv2.distanceTransform(ink, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - ink, cv2.DIST_L2, cv2.DIST_MASK_5)
    return _blur(inside - outside)


def trace_centreline(image: npt.NDArray[np.uint8]) -> Field:
    """Return the square of the distance to the centreline of the strokes of a digit, for an image uint8 (28, 28).

    The square is smooth at the line, where the distance itself has an edge: blurred or interpolated, the distance is
    nowhere 0, and a thin pen draws nothing.
    """
    distance = cv2.distanceTransform(1 - thin(_enlarge(image)), cv2.DIST_L2, cv2.DIST_MASK_5)
    return _blur(np.square(distance)) - _BLUR**2  # by so much does the blur raise a parabola


def _enlarge(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    large = cv2.resize(image, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    return np.pad((np.asarray(large) > 127).astype(np.uint8), _MARGIN)


def _blur(field: npt.ArrayLike) -> Field:
    """Smooth the steps of the pixels, which would be seen in a large digit."""
    return np.asarray(cv2.GaussianBlur(np.asarray(field, np.float32), (0, 0), _BLUR), np.float32)


def thin(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Thin `ink`, uint8 (h, w) of 0 and 1 with a margin of 0, to lines of one pixel.

    Source: Zhang and Suen 1984, "A fast parallel algorithm for thinning digital patterns".
    """
    thinned = ink.copy()
    height, width = ink.shape
    inner = thinned[1:-1, 1:-1]
    neighbours = [thinned[row : row + height - 2, column : column + width - 2] for row, column in _NEIGHBOURS]
    north, east, south, west = neighbours[0], neighbours[2], neighbours[4], neighbours[6]
    removed = 1
    while removed:
        removed = 0
        for step in (0, 1):
            total = np.add.reduce(neighbours)
            rises = np.add.reduce(
                [before < after for before, after in pairwise([*neighbours, neighbours[0]])], dtype=np.uint8
            )
            kept = (east & south & (north | west)) if step == 0 else (north & west & (east | south))
            gone = inner & (total >= 2) & (total <= 6) & (rises == 1) & (kept == 0)
            removed += cv2.countNonZero(gone)
            inner -= gone
    return thinned


_NEIGHBOURS = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
"""The row and column of each neighbour of a pixel in a 3x3 window, clockwise from the one above."""


def draw_field(field: Field, height: float, pen: Pen, rng: np.random.Generator, *, angle: float = 0.0) -> Coverage:
    """Draw a digit about `height` pixels high, turned by `angle` radians, with a random slant and stretch.

    Args:
        field: That of the centreline if the pen has a width, otherwise that of the outline.
        height: In pixels.
        pen: The pen.
        rng: The source of randomness.
        angle: In radians.

    """
    scale = height / _DIGIT_SIDE
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    cos, sin = np.cos(angle), np.sin(angle)
    slant = np.array([[stretch, rng.uniform(-0.2, 0.2)], [0, 1]]) * scale
    linear = np.array([[cos, -sin], [sin, cos]]) @ slant
    rows, columns = field.shape
    corners = np.array([[0, columns, 0, columns], [0, 0, rows, rows]], float) - np.array([[columns / 2], [rows / 2]])
    extent = np.abs(linear @ corners).max(axis=1)
    size = 2 * np.ceil(extent).astype(int) + 2
    matrix = np.hstack([linear, size[:, np.newaxis] / 2 - linear @ np.array([[columns / 2], [rows / 2]])])
    warped = cv2.warpAffine(field, matrix, tuple(size.tolist()), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if pen.width is None:
        coverage = warped * scale + pen.growth * height + 0.5
    else:
        coverage = max(pen.width * height, THINNEST) / 2 - np.sqrt(np.maximum(warped, 0)) * scale + 0.5
    if pen.is_jagged:
        coverage = np.asarray(coverage > _JAGGED, np.float32)
    return _texture(crop(np.clip(coverage, 0, 1).astype(np.float32)), pen, rng)


def opacity(pen: Pen, height: float) -> float:
    """Return the opacity of strokes in a digit of this height, 0 to 1: a hairline covers a part of each pixel only."""
    return 1.0 if pen.width is None else float(np.clip(pen.width * height / THINNEST, 0.45, 1))


def draw_strokes(  # noqa: PLR0913 (what is drawn, and how)
    strokes: Sequence[Stroke],
    height: float,
    width: float,
    rng: np.random.Generator,
    *,
    angle: float = 0.0,
    wobble: float = 0.03,
) -> Coverage:
    """Draw the strokes of a glyph of `synthetic_glyphs` with a round pen `width` pixels wide, turned by `angle`."""
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = np.array([[np.exp(rng.uniform(-0.2, 0.2)), 0], [rng.uniform(-0.2, 0.2), 1]]) @ linear
    frequency, phase = rng.uniform(-5, 5, (2, 2)), rng.uniform(0, 6, 2)
    lines = [(stroke + wobble * np.sin(stroke @ frequency + phase)) @ linear * height for stroke in strokes]
    lowest = np.concatenate(lines).min(axis=0) - width - 2
    size = np.ceil(np.concatenate(lines).max(axis=0) - lowest + width + 2).astype(int)
    canvas = np.zeros((size[1], size[0]), np.uint8)
    for line in lines:
        points = np.round((line - lowest) * 8).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, max(round(width), 1), cv2.LINE_AA, 3)  # noqa: FBT003 (positional only)
    return crop(np.asarray(canvas.astype(np.float32) / 255, np.float32))


def crop(coverage: Coverage) -> Coverage:
    """Crop to what is covered; at least one pixel remains."""
    left, top, width, height = cv2.boundingRect((coverage > 0.2).astype(np.uint8))
    return coverage[top : top + max(height, 1), left : left + max(width, 1)]


def _texture(coverage: Coverage, pen: Pen, rng: np.random.Generator) -> Coverage:
    if pen.grain:
        noise = rng.random(coverage.shape, np.float32)
        if min(coverage.shape) > 20:
            noise = np.asarray(cv2.blur(noise, (2, 2)), np.float32)
        coverage = coverage * (1 - (noise < pen.grain) * rng.uniform(0.3, 0.9)).astype(np.float32)
    if pen.pressure:
        coverage = coverage * (1 - pen.pressure * smooth_noise(coverage.shape, 3, rng))
    return coverage


def smooth_noise(shape: tuple[int, ...], cells: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return noise of 0 to 1 that changes `cells` times over each side, float32 `shape`."""
    coarse = rng.random((cells + 1, cells + 1), np.float32)
    return np.clip(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), 0, 1)
