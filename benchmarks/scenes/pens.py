"""Pens: their colour, width and grain, and the ink that they leave along lines. Knows no page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from benchmarks.scenes.strokes import Line, digit_lines
from benchmarks.scenes.textures import (
    Colour,
    Field,
    Generator,
    Grey,
    Shape,
    chance,
    fractal_noise,
    jittered,
    smooth_noise,
    soften,
)

_FINE = 4
"""Binary digits after the point in the coordinates that OpenCV draws with."""
_SUPERSAMPLING = 2
_PRESSURES = 64
"""The rows and the columns of the field of pressures."""


@dataclass(frozen=True)
class Pen:
    """A pen that draws lines."""

    colour: Colour
    width: float
    """As a share of the height of what is written."""
    opacity: float = 1
    grain: float = 0
    """How much of the ink the roughness of the ground takes away, 0 to 1."""
    pressure: float = 0.1
    """How much the width changes along a line, as a share of the width."""
    softness: float = 0
    """The blur of the edge, as a share of the width."""
    antialiased: bool = True
    own_stroke: bool = False
    """Whether a digit keeps the shape of MNIST's strokes, instead of being drawn again with `width`."""


def blue(rng: Generator) -> Colour:
    """Return a blue of ballpoints and fountain pens."""
    return jittered(((28, 44, 140), (45, 62, 165), (20, 30, 95), (60, 85, 190))[rng.integers(4)], 18, rng)


def black(rng: Generator) -> Colour:
    """Return a black of ballpoints, felt pens and printers."""
    return jittered((36, 35, 38), 24, rng)


def bright(rng: Generator) -> Colour:
    """Return a colour of felt pens: red, green, blue, violet or black."""
    return jittered(
        ((190, 35, 40), (25, 125, 60), (35, 60, 170), (110, 40, 140), (35, 35, 40))[rng.integers(5)], 20, rng
    )


def ballpoint(rng: Generator) -> Pen:
    """Make a pen that leaves a thin line with small gaps."""
    colour = blue(rng) if chance(rng, 0.6) else black(rng)
    return Pen(colour, rng.uniform(0.018, 0.05), rng.uniform(0.75, 0.97), rng.uniform(0, 0.3), 0.2)


def fineliner(rng: Generator) -> Pen:
    """Make a pen that leaves a thin, even, dark line."""
    return Pen(black(rng), rng.uniform(0.02, 0.055), rng.uniform(0.9, 1), 0, 0.08)


def gel(rng: Generator) -> Pen:
    """Make a pen that leaves a line of middle width, of blue or black ink."""
    colour = blue(rng) if chance(rng, 0.5) else black(rng)
    return Pen(colour, rng.uniform(0.045, 0.09), rng.uniform(0.88, 1), rng.uniform(0, 0.1), 0.25)


def felt(rng: Generator) -> Pen:
    """Make a pen that leaves a wide, even line with soft edges."""
    return Pen(bright(rng), rng.uniform(0.11, 0.19), rng.uniform(0.85, 1), rng.uniform(0, 0.12), 0.1, 0.06)


def thick_felt(rng: Generator) -> Pen:
    """Make a pen that leaves a very wide line, which closes small loops almost."""
    return Pen(bright(rng), rng.uniform(0.18, 0.27), rng.uniform(0.85, 1), rng.uniform(0, 0.15), 0.12, 0.05)


def pencil(rng: Generator) -> Pen:
    """Make a pen that leaves a faint, grainy grey line."""
    grey = jittered((95, 95, 100), 25, rng)
    return Pen(grey, rng.uniform(0.025, 0.06), rng.uniform(0.33, 0.7), rng.uniform(0.5, 0.9), 0.3, 0.12)


def marker(rng: Generator) -> Pen:
    """Make a pen that leaves the streaks of a whiteboard marker."""
    return Pen(bright(rng), rng.uniform(0.05, 0.12), rng.uniform(0.75, 0.97), rng.uniform(0.1, 0.4), 0.15, 0.05)


def chalk(rng: Generator) -> Pen:
    """Make a pen that leaves a light, very grainy line."""
    colour = jittered(((232, 232, 226), (240, 224, 140), (236, 176, 176))[rng.choice(3, p=[0.8, 0.1, 0.1])], 12, rng)
    return Pen(colour, rng.uniform(0.06, 0.12), rng.uniform(0.65, 0.95), rng.uniform(0.4, 0.7), 0.25, 0.05)


def written(rng: Generator) -> Pen:
    """Make a pen that keeps the strokes of MNIST's writers."""
    return replace(gel(rng), own_stroke=True)


PENS: tuple[Callable[[Generator], Pen], ...] = (ballpoint, fineliner, gel, gel, felt, pencil, written, written)
"""What people write with on paper, the frequent ones twice."""


def any_pen(rng: Generator) -> Pen:
    """Return one of the pens for paper."""
    return PENS[rng.integers(len(PENS))](rng)


def ink_of_lines(shape: Shape, lines: Sequence[Line], pen: Pen, height: float, rng: Generator) -> Field:
    """Return the ink of a pen along lines, 0 to 1.

    Args:
        shape: of the result.
        lines: in pixels of the result.
        pen: the pen.
        height: of what is written, in pixels, of which the pen's width is a share.
        rng: the source of the pressure and the grain.

    """
    width = max(pen.width * height, 1)
    if not pen.antialiased:
        return _drawn(shape, lines, [round(width)] * len(lines), 1).astype(np.float32)
    pressure = 1 + pen.pressure * smooth_noise((_PRESSURES, _PRESSURES), _PRESSURES / 4, rng)
    widths = [
        max(round(_SUPERSAMPLING * width * pressure[_part(line[0, 1], shape[0]), _part(line[0, 0], shape[1])]), 1)
        for line in lines
    ]
    fine = _drawn((shape[0] * _SUPERSAMPLING, shape[1] * _SUPERSAMPLING), lines, widths, _SUPERSAMPLING)
    ink = cv2.resize(fine.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return roughened(soften(np.asarray(ink), pen.softness * width), pen, width, rng)


def roughened(ink: Field, pen: Pen, width: float, rng: Generator) -> Field:
    """Return the ink with the pen's grain and opacity."""
    if pen.grain:
        tooth = fractal_noise((ink.shape[0], ink.shape[1]), max(width / 3, 1.5), rng, 3)
        ink = ink * np.clip(1 - pen.grain * np.clip(0.5 + 0.8 * tooth, 0, 1.15), 0, 1)
    return (ink * pen.opacity).astype(np.float32)


def ink_of_digit(digit: Grey, height: float, pen: Pen, rng: Generator, tilt: float = 0) -> Field:
    """Return the ink of a digit whose longer side is `height` pixels, cut to its box and a few pixels around it.

    Args:
        digit: uint8 (28, 28), white on black.
        height: in pixels.
        pen: the pen.
        rng: the source of the pressure and the grain.
        tilt: degrees, clockwise.

    """
    # A loop that is filled in MNIST would be a line in the skeleton: a 9 would become a 7.
    own = pen.own_stroke or is_blotted(digit)
    lines = _turned([_inked_pixels(digit)] if own else digit_lines(digit), tilt)
    points = np.concatenate(lines)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    factor = height / max(extent.max(), 1)
    margin = math.ceil(max(pen.width * height, 2 * factor * own)) + 4
    columns, rows = (math.ceil(side * factor) + 2 * margin for side in extent)
    if own:
        ink = _own_ink(digit, (rows, columns), low - margin / factor, factor, tilt)
        return trimmed(roughened(ink, pen, 3 * factor, rng))
    placed = [(line - low) * factor + margin for line in lines]
    return trimmed(ink_of_lines((rows, columns), placed, pen, height, rng))


def is_blotted(digit: Grey) -> bool:
    """Tell whether a digit has strokes much wider than MNIST's usual ones, as filled loops have."""
    return bool(cv2.distanceTransform((digit > 100).astype(np.uint8), cv2.DIST_L2, 5).max() > 4)


def _inked_pixels(digit: Grey) -> Line:
    return np.argwhere(digit > 100)[:, ::-1].astype(np.float32) + 0.5


def trimmed(ink: Field) -> Field:
    """Return the ink cut to its box."""
    rows, columns = np.nonzero(ink.max(axis=1) > 0.1)[0], np.nonzero(ink.max(axis=0) > 0.1)[0]
    if not len(rows) or not len(columns):
        return ink
    return np.ascontiguousarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _own_ink(digit: Grey, shape: Shape, low: Line, factor: float, tilt: float) -> Field:
    """Return MNIST's own strokes, enlarged by `factor` so that the point `low` comes to the top left."""
    angle = math.radians(tilt)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.full(2, 14.0)
    offset = factor * (middle - turn @ middle - low)
    smooth = cv2.resize(digit, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    matrix = np.column_stack([turn * factor / 4, offset])
    large = cv2.warpAffine(smooth, matrix, (shape[1], shape[0]), flags=cv2.INTER_CUBIC)
    soft = soften(large.astype(np.float32), factor * 0.35)
    return np.clip((soft - 88) / (200 / max(factor, 1)) + 0.5, 0, 1).astype(np.float32)


def _turned(lines: Sequence[Line], tilt: float) -> list[Line]:
    angle = math.radians(tilt)
    turn = np.float32([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return [(line - 14) @ turn + 14 for line in lines]


def _drawn(shape: Shape, lines: Sequence[Line], widths: Sequence[int], factor: int) -> Grey:
    canvas = np.zeros(shape, np.uint8)
    for line, width in zip(lines, widths, strict=True):
        points = np.rint(line * factor * 2**_FINE).astype(np.int32)
        cv2.polylines(canvas, [points.reshape(-1, 1, 2)], isClosed=False, color=1, thickness=width, shift=_FINE)
    return canvas


def _part(position: float, size: int) -> int:
    return min(max(int(_PRESSURES * position / size), 0), _PRESSURES - 1)
