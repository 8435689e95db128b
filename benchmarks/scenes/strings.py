"""Pictures with several digits: numbers on a line, touching digits, several lines, and sheets."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.scenes import grounds, lights, pens
from benchmarks.scenes.grounds import Ground
from benchmarks.scenes.kinds import Light, Picture, any_camera, as_drawn, program_ground, program_pen
from benchmarks.scenes.pens import Pen, ink_of_digit
from benchmarks.scenes.textures import WHITE, Field, Generator, Grey, Shape, chance, lay

LARGEST_TILT = 15.0
"""Degrees."""
GROUNDS: tuple[Ground, ...] = (
    grounds.paper,
    grounds.paper,
    grounds.tinted_paper,
    grounds.ruled_paper,
    grounds.squared_paper,
    grounds.office_paper,
    grounds.whiteboard,
    program_ground,
    program_ground,
)
LIGHTS: tuple[Light, ...] = (lights.uneven_light, lights.soft_shadow, lights.hard_shadow, lights.folded)


def draw_string(digits: Sequence[Grey], rng: Generator, *, touching: bool) -> Picture:
    """Write digits on one line, tilted by up to 15 degrees.

    Args:
        digits: each uint8 (28, 28), white on black.
        rng: the source of all that is random.
        touching: whether neighbours touch, by 1 to 4 of MNIST's pixels; otherwise their columns are apart.

    """
    ground, pen = _ground_and_pen(rng)
    height = rng.uniform(36, 110)
    ink = _line(digits, height, pen, rng, touching=touching)
    tilt = rng.uniform(-LARGEST_TILT, LARGEST_TILT) if chance(rng, 0.6) else 0
    return _pictured(_with_margins(_tilted(ink, tilt), height, rng), ground, pen, rng)


def draw_lines(lines: Sequence[Sequence[Grey]], rng: Generator) -> Picture:
    """Write digits on several lines, the first at the top, all tilted alike by up to 15 degrees."""
    ground, pen = _ground_and_pen(rng)
    height = rng.uniform(30, 70)
    pitch = height * rng.uniform(1.6, 2.4)
    inks = [_line(digits, height, pen, rng, touching=False) for digits in lines]
    starts = [max(rng.normal(0.3, 0.25) * height, 0) for _ in inks]
    width = math.ceil(max(start + ink.shape[1] for start, ink in zip(starts, inks, strict=True)))
    page = np.zeros((math.ceil(pitch * len(inks)) + round(height), width + 1), np.float32)
    for number, (start, ink) in enumerate(zip(starts, inks, strict=True)):
        _add(page, ink, round(start), round(number * pitch + rng.uniform(0, 0.1) * height))
    tilt = rng.uniform(-LARGEST_TILT, LARGEST_TILT) if chance(rng, 0.5) else 0
    return _pictured(_with_margins(_tilted(pens.trimmed(page), tilt), height, rng), ground, pen, rng)


def draw_sheet(digits: Sequence[Grey], columns: int, rng: Generator) -> Picture:
    """Write digits in rows of `columns`, as the sheets on which digits are collected have them: up to hundreds."""
    ground, pen = _ground_and_pen(rng)
    pen = replace(pen, width=max(pen.width, 0.05))
    cell = rng.uniform(34, 64)
    rows = math.ceil(len(digits) / columns)
    page = np.zeros((math.ceil(rows * cell * 1.1), math.ceil(columns * cell)), np.float32)
    for number, digit in enumerate(digits):
        tile = ink_of_digit(digit, cell * rng.uniform(0.48, 0.66), pen, rng, rng.normal(0, 3))
        row, column = divmod(number, columns)
        left = (column + 0.5) * cell - tile.shape[1] / 2 + rng.normal(0, 0.03) * cell
        top = (row + 0.5) * cell * 1.1 - tile.shape[0] / 2 + rng.normal(0, 0.03) * cell
        _add(page, tile, round(max(left, 0)), round(max(top, 0)))
    return _pictured(_with_margins(_tilted(page, rng.uniform(-2, 2)), cell / 2, rng), ground, pen, rng)


def _ground_and_pen(rng: Generator) -> tuple[Ground, Pen]:
    ground = GROUNDS[rng.integers(len(GROUNDS))]
    if ground is program_ground:
        return ground, program_pen(rng)
    if ground is grounds.whiteboard:
        return ground, pens.marker(rng)
    return ground, pens.any_pen(rng)


def _line(digits: Sequence[Grey], height: float, pen: Pen, rng: Generator, *, touching: bool) -> Field:
    """Return the ink of digits beside each other."""
    spacing = rng.uniform(0.14, 0.45)
    tiles = [ink_of_digit(digit, height * rng.uniform(0.85, 1.08), pen, rng, rng.normal(0, 3)) for digit in digits]
    tops = [round(1.3 * height - tile.shape[0] + rng.normal(0, 0.04) * height) for tile in tiles]
    line = np.zeros((math.ceil(1.7 * height) + 4, math.ceil(1.9 * height * len(tiles)) + 4), np.float32)
    left = 0
    for number, (tile, top) in enumerate(zip(tiles, tops, strict=True)):
        if number and touching:
            left = _touching_place(line, tile, top, overlap=rng.uniform(1, 4) * height / 20)
        elif number:
            left += round(height * spacing * rng.uniform(0.75, 1.3))
        _add(line, tile, left, top)
        left += tile.shape[1]
    return pens.trimmed(line)


def _touching_place(line: Field, tile: Field, top: int, *, overlap: float) -> int:
    """Return the column for `tile` at which its ink overlaps that of the line by `overlap` pixels in some row."""
    before, after = line[top : top + tile.shape[0]] > 0.3, tile > 0.3
    both = before.any(axis=1) & after[: len(before)].any(axis=1)
    if not both.any():
        return int(np.nonzero(line.max(axis=0) > 0.3)[0].max() - overlap)
    last = line.shape[1] - 1 - before[both][:, ::-1].argmax(axis=1)
    first = after[: len(before)][both].argmax(axis=1)
    return max(round(float((last - first).max()) + 1 - overlap), 0)


def _add(page: Field, tile: Field, left: int, top: int) -> None:
    """Put the ink of a tile on a page, in place."""
    region = page[max(top, 0) : top + tile.shape[0], left : left + tile.shape[1]]
    np.maximum(region, tile[max(-top, 0) :][: region.shape[0], : region.shape[1]], out=region)


def _tilted(ink: Field, degrees: float) -> Field:
    """Turn the ink clockwise on a page that is large enough for it."""
    if not degrees:
        return ink
    height, width = ink.shape
    angle = math.radians(degrees)
    size = (
        math.ceil(width * math.cos(angle) + height * abs(math.sin(angle))),
        math.ceil(height * math.cos(angle) + width * abs(math.sin(angle))),
    )
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_CUBIC), np.float32).clip(0, 1)


def _with_margins(ink: Field, height: float, rng: Generator) -> Field:
    margins = np.rint(height * rng.uniform(0.4, 1.6, 4)).astype(int)
    return np.pad(ink, [(margins[0], margins[1]), (margins[2], margins[3])])


def _pictured(ink: Field, ground: Ground, pen: Pen, rng: Generator) -> Picture:
    shape: Shape = (ink.shape[0], ink.shape[1])
    if ground is program_ground:
        pixels = lay(ground(shape, rng), ink, pen.colour)
        dark = chance(rng, 0.25)
        return as_drawn(lay(np.zeros_like(pixels), ink, WHITE) if dark else pixels, rng)
    pixels = lay(ground(shape, rng), ink, pen.colour)
    if chance(rng, 0.4):
        pixels = LIGHTS[rng.integers(len(LIGHTS))](pixels, rng)
    return any_camera(pixels, rng)


class StringKind(NamedTuple):
    """A kind of picture with several digits."""

    rows: int
    columns: int
    """The digits on each line."""
    draw: Callable[[Sequence[Sequence[Grey]], Generator], Picture]
    """Draws lines of digits."""
    share: float = 1
    """How many are drawn for each picture of another kind: large sheets are slow."""


def _sheet(lines: Sequence[Sequence[Grey]], rng: Generator) -> Picture:
    return draw_sheet([digit for line in lines for digit in line], len(lines[0]), rng)


STRINGS: dict[str, StringKind] = {
    "five separate digits": StringKind(1, 5, lambda lines, rng: draw_string(lines[0], rng, touching=False)),
    "eight separate digits": StringKind(1, 8, lambda lines, rng: draw_string(lines[0], rng, touching=False)),
    "touching pair": StringKind(1, 2, lambda lines, rng: draw_string(lines[0], rng, touching=True)),
    "four touching digits": StringKind(1, 4, lambda lines, rng: draw_string(lines[0], rng, touching=True)),
    "three lines": StringKind(3, 4, draw_lines),
    "sheet of 100": StringKind(10, 10, _sheet, 0.05),
    "sheet of 450": StringKind(15, 30, _sheet, 0.02),
}
