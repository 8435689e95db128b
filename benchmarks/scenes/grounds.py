"""What people write on, without writing: papers, rulings, boards; and what a sheet lies on. Knows no digits."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.scenes.textures import (
    Colour,
    Field,
    Generator,
    Pixels,
    Shape,
    chance,
    flat,
    fractal_noise,
    jittered,
    lay,
    scale,
    slope,
    smooth_noise,
    soften,
)

Ground = Callable[[Shape, Generator], Pixels]


def paper(shape: Shape, rng: Generator) -> Pixels:
    """White paper with fibres and uneven light."""
    return _sheet(shape, jittered((238, 236, 231), 12, rng), rng)


def tinted_paper(shape: Shape, rng: Generator) -> Pixels:
    """Coloured or recycled paper, from pastel to kraft."""
    colours = ((246, 226, 150), (250, 190, 200), (178, 222, 176), (170, 205, 236), (201, 168, 122), (205, 200, 190))
    return _sheet(shape, jittered(colours[rng.integers(len(colours))], 14, rng), rng)


def office_paper(shape: Shape, rng: Generator) -> Pixels:
    """Draw the paper of a scan: even, and almost white."""
    grain = rng.uniform(0, 1.5) * rng.standard_normal(shape, dtype=np.float32)
    return flat(shape, jittered((249, 249, 247), 5, rng)) + grain[..., np.newaxis]


def ruled_paper(shape: Shape, rng: Generator) -> Pixels:
    """Paper with horizontal lines, and a margin line on some."""
    pitch = shape[0] * rng.uniform(0.06, 0.2)
    pixels = lay(paper(shape, rng), _lines(shape, pitch, rng), _ruling_colour(rng))
    return with_margin_line(pixels, rng) if chance(rng, 0.25) else pixels


def squared_paper(shape: Shape, rng: Generator) -> Pixels:
    """Paper with squares."""
    pitch = shape[0] * rng.uniform(0.05, 0.17)
    across, thickness = _lines(shape, pitch, rng), rng.uniform(0.8, 2.2)
    down = _lines((shape[1], shape[0]), pitch, rng, thickness).T
    return lay(paper(shape, rng), np.maximum(across, down), _ruling_colour(rng))


def margin_paper(shape: Shape, rng: Generator) -> Pixels:
    """Plain paper with one margin line, or a double one."""
    return with_margin_line(paper(shape, rng), rng)


def copybook_paper(shape: Shape, rng: Generator) -> Pixels:
    """Paper for learning to write: bands of lines, with slanted or vertical guides on some."""
    pitch = shape[0] * rng.uniform(0.22, 0.5)
    colour, pixels = _ruling_colour(rng), paper(shape, rng)
    start = rng.uniform(0, pitch)
    for part in (0, *np.cumsum(rng.uniform(0.2, 0.33, rng.integers(1, 4)))):
        strong = part == 0
        pixels = lay(pixels, _lines(shape, pitch, rng, 2 if strong else 1, start + part * pitch), colour)
    if chance(rng, 0.6):
        pixels = lay(pixels, 0.6 * _slanted_lines(shape, pitch * rng.uniform(0.5, 1.2), rng), colour)
    return pixels


def with_margin_line(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a red or blue vertical line near one side."""
    height, width = pixels.shape[:2]
    column = rng.uniform(0.06, 0.27) * width
    if chance(rng, 0.3):
        column = width - column
    alpha = np.zeros((height, width), np.float32)
    lean = rng.uniform(-0.015, 0.015) * height
    for gap in (0, rng.uniform(4, 9))[: 1 + chance(rng, 0.25)]:
        ends = [(round(column + gap - lean), 0), (round(column + gap + lean), height)]
        cv2.line(alpha, *ends, 1, int(rng.integers(1, 4)), cv2.LINE_AA)
    colour = jittered(((205, 70, 80), (90, 120, 200))[rng.integers(2)], 20, rng)
    return lay(pixels, alpha * np.float32(rng.uniform(0.5, 0.95)), colour)


def whiteboard(shape: Shape, rng: Generator) -> Pixels:
    """Draw a whiteboard with smears of what was wiped off."""
    pixels = flat(shape, jittered((226, 229, 232), 14, rng))
    smears = np.clip(smooth_noise(shape, shape[0] / 14, rng, rng.uniform(3, 8)) - 0.6, 0, 3)
    pixels = lay(pixels, smears * np.float32(rng.uniform(0.01, 0.06)), (90, 95, 120))
    return scale(pixels, 1 + np.float32(rng.uniform(0.02, 0.14)) * slope(shape, rng))


def blackboard(shape: Shape, rng: Generator) -> Pixels:
    """Draw a green or black board with the dust of chalk."""
    base = jittered(((38, 66, 52), (42, 44, 46), (30, 56, 60))[rng.integers(3)], 10, rng)
    dust = np.clip(fractal_noise(shape, shape[0] / 3, rng) * 0.5 + 0.3, 0, 2)
    wipes = np.clip(smooth_noise(shape, shape[0] / 25, rng, rng.uniform(4, 12)), 0, 2)
    veil = np.float32(rng.uniform(0.01, 0.1)) * dust + np.float32(rng.uniform(0, 0.07)) * wipes
    return lay(flat(shape, base), np.clip(veil, 0, 0.5), (215, 215, 210))


def wood(shape: Shape, rng: Generator) -> Pixels:
    """Draw a wooden table."""
    colours = ((92, 62, 40), (132, 92, 58), (176, 134, 92), (62, 44, 34), (205, 172, 132))
    base = jittered(colours[rng.integers(len(colours))], 14, rng)
    turned = chance(rng, 0.5)
    size = shape[::-1] if turned else shape
    rings = np.sin(6 * smooth_noise(size, size[0] / 5, rng, 6) + 0.4 * smooth_noise(size, 3, rng, 40))
    fibre = smooth_noise(size, 1.6, rng, 45)
    light = 1 + np.float32(rng.uniform(0.03, 0.12)) * rings + np.float32(rng.uniform(0.03, 0.1)) * fibre
    if chance(rng, 0.35):
        for row in np.arange(rng.uniform(0, 0.3), 1, rng.uniform(0.25, 0.5)):
            light[int(row * size[0]) : int(row * size[0]) + 2] *= 0.55
    return scale(flat(shape, base), light.T if turned else light)


def plain_table(shape: Shape, rng: Generator) -> Pixels:
    """Draw a painted or plastic table, from black to light grey."""
    base = jittered(
        ((40, 42, 46), (75, 78, 82), (120, 118, 116), (178, 178, 176), (58, 70, 92))[rng.integers(5)], 12, rng
    )
    return scale(flat(shape, base), 1 + np.float32(0.04) * fractal_noise(shape, shape[0] / 8, rng))


def cloth(shape: Shape, rng: Generator) -> Pixels:
    """Draw a woven table cloth or a mouse mat."""
    base = jittered(
        ((70, 76, 96), (120, 60, 60), (150, 142, 128), (60, 92, 74), (36, 36, 40))[rng.integers(5)], 12, rng
    )
    pitch = rng.uniform(3, 6)
    columns, rows = np.arange(shape[1]), np.arange(shape[0])
    weave = np.outer(np.sin(2 * math.pi * rows / pitch), np.sin(2 * math.pi * columns / pitch)).astype(np.float32)
    folds = smooth_noise(shape, shape[0] / 3, rng)
    return scale(flat(shape, base), 1 + np.float32(rng.uniform(0.04, 0.16)) * weave + np.float32(0.06) * folds)


def granite(shape: Shape, rng: Generator) -> Pixels:
    """Draw a speckled kitchen top."""
    base = jittered(((96, 92, 90), (168, 162, 156), (54, 54, 58))[rng.integers(3)], 10, rng)
    specks = np.clip(smooth_noise(shape, 2.5, rng), -1.5, 1.5)
    return scale(flat(shape, base), 1 + np.float32(rng.uniform(0.1, 0.3)) * specks)


TABLES: tuple[Ground, ...] = (wood, wood, plain_table, cloth, granite)


def table(shape: Shape, rng: Generator) -> Pixels:
    """One of the tables."""
    return np.clip(TABLES[rng.integers(len(TABLES))](shape, rng), 0, 255)


def _sheet(shape: Shape, colour: Colour, rng: Generator) -> Pixels:
    fibres = smooth_noise(shape, rng.uniform(1, 3), rng, rng.uniform(1, 3))
    clouds = smooth_noise(shape, shape[0] / 4, rng)
    light = 1 + np.float32(rng.uniform(0.002, 0.014)) * fibres + np.float32(rng.uniform(0, 0.01)) * clouds
    return scale(flat(shape, colour), light + np.float32(rng.uniform(0, 0.07)) * slope(shape, rng))


def _ruling_colour(rng: Generator) -> Colour:
    colours = (
        (120, 160, 215),
        (160, 185, 220),
        (150, 150, 155),
        (95, 115, 165),
        (175, 150, 190),
        (90, 90, 95),
        (70, 100, 180),
        (60, 80, 140),
    )
    return jittered(colours[rng.integers(len(colours))], 15, rng)


def _lines(
    shape: Shape, pitch: float, rng: Generator, thickness: float | None = None, start: float | None = None
) -> Field:
    """Return evenly spaced lines, almost horizontal."""
    thickness = rng.uniform(0.8, 2.6) if thickness is None else thickness
    start = rng.uniform(0, pitch) if start is None else start
    lean = rng.uniform(-0.012, 0.012) * shape[1]
    alpha = np.zeros(shape, np.float32)
    for row in np.arange(start - 2 * pitch, shape[0] + pitch, pitch):
        ends = [(0, round(16 * (row - lean))), (16 * shape[1], round(16 * (row + lean)))]
        cv2.line(alpha, *ends, 1, max(round(thickness), 1), cv2.LINE_AA, 4)
    return soften(alpha, 0.4) * np.float32(rng.uniform(0.5, 1))


def _slanted_lines(shape: Shape, pitch: float, rng: Generator) -> Field:
    alpha = np.zeros(shape, np.float32)
    slant = rng.choice([0, 0.2, 0.4]) * shape[0]
    for column in np.arange(-slant, shape[1] + slant, pitch):
        cv2.line(alpha, (round(column), shape[0]), (round(column + slant), 0), 1, 1, cv2.LINE_AA)
    return alpha
