"""Pictures without a digit: letters and signs written by hand, scribbles, doodles, empty grounds, things.

The letters and signs are drawn from an alphabet of strokes of its own. It leaves out what looks like a digit: o, O, l,
I, S, Z, b, q and their like. Each kind is a function of a random generator, and returns a picture, uint8 (h, w, 3) or
(h, w).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from benchmarks.scenes import grounds, lights, marks, pens, surroundings
from benchmarks.scenes.cameras import phone, scanner
from benchmarks.scenes.grounds import Ground
from benchmarks.scenes.kinds import Picture, any_camera, as_drawn, program_ground, program_pen
from benchmarks.scenes.pages import a_shape
from benchmarks.scenes.pens import Pen, ink_of_lines
from benchmarks.scenes.strokes import Line
from benchmarks.scenes.textures import (
    BLACK,
    WHITE,
    Field,
    Generator,
    Pixels,
    Shape,
    chance,
    coordinates,
    flat,
    lay,
    scale,
    smooth_noise,
    soften,
)

SymbolKind = Callable[[Generator], Picture]

# Each stroke is a list of points "column row", in tenths of the height, from the top left. A stroke that begins with
# ~ is a curve through its points; the others are straight from point to point.
LETTERS = {
    "A": "0 10, 4 0, 8 10; 1.6 6.4, 6.6 6.4",
    "B": "0.5 10, 0.5 0; ~0.5 0, 5 0.6, 5.4 3.4, 0.6 4.8; ~0.6 4.8, 6.4 5.4, 6.2 9.2, 0.5 10",
    "C": "~7 1.4, 3.6 0, 0.2 4.6, 3 9.8, 7.2 8.4",
    "E": "6 0.2, 0.4 0, 0.4 10, 6.4 9.8; 0.4 5, 5 4.8",
    "F": "6.4 0, 0.6 0.3, 0.4 10; 0.6 4.8, 4.8 4.6",
    "G": "~7 1.6, 3.8 0, 0.2 4.8, 3.2 10, 7 8.6; 4.2 5.8, 7.2 5.6, 7.2 9.9",
    "H": "0 0, 0.3 10; 6.8 0, 6.6 10; 0.2 5.1, 6.8 4.8",
    "K": "0.4 0, 0.4 10; 6.4 0.2, 0.6 5.6; 2.2 4.4, 6.8 10",
    "M": "0 10, 1 0, 4.2 7, 7.6 0, 8.6 10",
    "N": "0 10, 0.4 0, 6.4 10, 6.8 0",
    "P": "0.4 10, 0.6 0; ~0.6 0.2, 5.8 0.4, 5.8 5, 0.6 5.4",
    "Q": "~4 0, 0.2 4.6, 4 9.6, 7.8 4.8, 4 0; 4.8 6.6, 8.4 10.8",
    "R": "0.4 10, 0.5 0; ~0.5 0.2, 5.8 0.5, 5.4 4.7, 0.6 5.2; 2.6 5.2, 6.6 10",
    "T": "0 0.3, 7.2 0; 3.6 0.2, 3.7 10",
    "U": "~0.2 0, 0.4 7.4, 3.4 10, 6.6 7.6, 6.8 0",
    "V": "0 0, 3.7 10, 7.2 0",
    "W": "0 0, 2.2 10, 4.6 3, 7 10, 9.4 0",
    "X": "0 0, 6.8 10; 6.6 0, 0.2 10",
    "Y": "0 0, 3.5 4.8; 7 0, 3.5 4.8, 3.4 10",
    "a": "~6 2.8, 2.6 2.2, 0.2 6.4, 2.6 10, 5.8 7.4, 6.2 2.6; ~6.1 2.6, 6 8.6, 7.8 9.8",
    "e": "~0.6 5.8, 6.4 5.4, 3.8 2.2, 0.4 5.8, 3 10, 6.6 8.4",
    "f": "~5.6 1, 3.6 0, 2.6 3, 2.6 10; 0.4 4.2, 5.2 4",
    "h": "0.6 0, 0.4 10; ~0.5 6.2, 3.4 4, 5.4 6, 5.4 10",
    "k": "0.6 0, 0.5 10; 5 4, 0.7 7; 2.2 6.2, 5.4 10",
    "m": "0.2 3.4, 0.3 10; ~0.3 5.4, 2.6 3.6, 4.2 5.6, 4.2 10; ~4.2 5.4, 6.4 3.6, 8.2 5.6, 8.2 10",
    "n": "0.4 3.2, 0.4 10; ~0.4 5.6, 3.6 3.4, 5.8 5.8, 5.8 10",
    "r": "0.6 3.4, 0.6 10; ~0.6 5.8, 2.6 3.6, 5 4",
    "t": "~2.8 0, 2.6 8, 4.2 9.8, 6 9; 0.2 3.4, 5.8 3.2",
    "u": "~0.4 3.4, 0.6 8.2, 2.8 10, 5.6 7.6, 5.8 3.4; 5.8 3.4, 6 10",
    "v": "0.2 3.2, 2.9 10, 5.8 3.2",
    "w": "0 3.4, 1.8 10, 3.9 5, 6 10, 8 3.2",
    "x": "0.3 3.2, 5.8 10; 5.6 3.2, 0.2 10",
}
SIGNS = {
    "plus": "4 0.6, 4 8.4; 0 4.6, 8 4.4",
    "equals": "0 3, 7 2.8; 0 6, 7 5.8",
    "times": "0.4 1, 6.4 7; 6.4 1, 0.4 7",
    "division": "0 5, 8 5; 4 2, 4.1 2.1; 4 8, 4.1 8.1",
    "question": "~0.6 2.4, 2.8 0, 5.8 2.2, 3.4 5.4, 3.2 7.2; 3.2 9.6, 3.3 9.7",
    "exclamation": "1 0, 1 6.8; 1 9.6, 1.1 9.7",
    "percent": "7 0, 0.6 10; ~1.6 0.4, 0.2 2, 1.8 3.4, 3.2 1.8, 1.6 0.4; ~6.2 6.4, 4.8 8.2, 6.2 9.8, 7.8 8, 6.2 6.4",
    "hash": "2.6 0, 1.6 10; 6.2 0, 5.2 10; 0 3.4, 8 3.2; 0 6.8, 7.8 6.6",
    "asterisk": "4 0, 4 8; 0.6 2, 7.4 6; 7.4 2, 0.6 6",
    "pi": "~0 1.8, 2 0.8, 7.8 0.8; 2.2 1, 1.4 10; ~5.6 1, 5.2 8.4, 7 9.6",
    "alpha": "~8 1, 5.6 7, 2.6 9.4, 0.2 5.4, 2.8 1.2, 5.4 5, 8.2 9.4",
    "sigma": "7 0.2, 0.4 0.2, 4 5, 0.2 9.8, 7.2 9.8",
    "root": "0 6, 1.4 5.4, 3 10, 5 0, 10 0",
    "infinity": "~5 5, 2 2.6, 0 5, 2 7.4, 5 5, 8 2.6, 10 5, 8 7.4, 5 5",
    "arrow": "0 5, 10 4.8; 7 2.4, 10 4.8, 7.2 7.4",
    "tick": "0 6, 2.8 9.6, 8.4 0",
    "omega": "~0.6 9.8, 3 9.6, 0.4 5, 4.4 0.4, 8.4 5, 5.8 9.6, 8.2 9.8",
    "euro": "~7.4 1.6, 4.4 0, 1.4 5, 4.2 10, 7.4 8.6; 0 4, 5.4 3.8; 0 6.2, 5 6",
    "at": "~6 3.8, 4 3, 2.8 5.4, 4.2 7, 6 5, 6.2 3.4, 6.4 6.6, 8.6 6, 8.4 2, 4.4 0, 0.4 4.6, 3.6 9.6, 8 9",
    "delta": "0 9.6, 4.4 0, 8.8 9.6, 0 9.6",
}
DOODLES = {
    "star": "1.8 10, 5 0, 8.2 10, 0 3.8, 10 3.8, 1.8 10",
    "house": "1 10, 1 4.6, 5 0.4, 9 4.6, 9 10, 1 10; 4 10, 4 6.6, 6.2 6.6, 6.2 10; 0.2 5.4, 5 0.4, 9.8 5.4",
    "smile": "~5 0, 0 5, 5 10, 10 5, 5 0; 3.4 3.4, 3.4 4; 6.6 3.4, 6.6 4; ~2.4 6.2, 5 8.4, 7.6 6.2",
    "heart": "~5 9.6, 0.4 4.2, 2.4 0.6, 5 3.2, 7.6 0.6, 9.6 4.2, 5 9.6",
    "spiral": "~5 5, 6 5.4, 5 6.4, 3.6 5, 5 3.2, 7.2 5, 5 7.8, 2.2 5, 5 1.6, 9 5, 5 9.6",
    "flower": "~5 4, 3 1, 5 0, 7 1, 5 4, 8.6 2.6, 9 5, 5 4, 1 5, 1.4 2.6, 5 4; ~5 4, 4.8 7, 5.2 10",
    "stick figure": "~5 0, 3.6 1.4, 5 2.8, 6.4 1.4, 5 0; 5 2.8, 5 6.6; 2 4.2, 8 4; 2.8 10, 5 6.6, 7.4 10",
    "fish": "~0 5, 4 2, 8 5, 10 8; ~0 5, 4 8, 8 5, 10 2; 10 2, 10 8; 2 4.4, 2.2 4.5",
    "cup": "0.6 2, 1.4 9.6, 6.2 9.6, 7 2, 0.6 2; ~6.8 3.4, 9.4 4, 8.8 7, 6.4 7.4",
    "tree": "4.4 10, 4.4 6.6; 5.8 10, 5.8 6.6; ~4.4 6.8, 1 6.4, 1.2 3, 4 0.4, 8 1.2, 9.4 4.6, 8 6.8, 5.8 6.6",
}


def strokes(text: str, rng: Generator, wobble: float = 0.35) -> list[Line]:
    """Parse the strokes of a symbol and let a hand move each point; float32 (n, 2), from about 0 to 10."""
    lines = []
    for stroke in text.split(";"):
        points = np.array([point.split() for point in stroke.strip().lstrip("~").split(",")], np.float32)
        points += rng.normal(0, wobble, points.shape).astype(np.float32) * (np.ptp(points) > 1)
        lines.append(curve(points) if "~" in stroke else _hand_line(points, rng))
    return lines


def curve(points: Line, steps: int = 14) -> Line:
    """Return a smooth line through points (Catmull and Rom 1974)."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, np.newaxis]
    parts = []
    for first, second, third, fourth in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        bend = 2 * first - 5 * second + 4 * third - fourth
        twist = 3 * second - first - 3 * third + fourth
        parts.append(0.5 * (2 * second + (third - first) * share + bend * share**2 + twist * share**3))
    return np.concatenate(parts).astype(np.float32)


def letter(rng: Generator) -> Picture:
    """Write a letter."""
    return symbol(LETTERS, rng)


def sign(rng: Generator) -> Picture:
    """Write a sign, of mathematics mostly."""
    return symbol(SIGNS, rng)


def doodle(rng: Generator) -> Picture:
    """Draw a small picture."""
    return symbol(DOODLES, rng)


def symbol(alphabet: dict[str, str], rng: Generator) -> Picture:
    """Write one symbol of an alphabet on a ground, or draw it as white on black with 28x28 pixels."""
    name = str(rng.choice(list(alphabet)))
    return _written(strokes(alphabet[name], rng), rng)


def scribble(rng: Generator) -> Picture:
    """Move the pen to and fro."""
    count = int(rng.integers(8, 40))
    if chance(rng, 0.5):  # back and forth, as to cross something out
        columns = np.linspace(0, 10, count) + rng.normal(0, 0.5, count)
        rows = np.where(np.arange(count) % 2, 1, 9) + rng.normal(0, 1.2, count)
        points = np.stack([columns, rows], axis=1)
    else:
        points = np.cumsum(rng.normal(0, 2.4, (count, 2)), axis=0)
    return _written([curve(points.astype(np.float32))], rng)


def word(rng: Generator) -> Picture:
    """Write a word of three to six letters by hand."""
    lines: list[Line] = []
    left = 0.0
    for name in rng.choice(list(LETTERS), rng.integers(3, 7)):
        letter_lines = strokes(LETTERS[str(name)], rng)
        lines += [line + np.float32([left, 0]) for line in letter_lines]
        left = max(float(line[:, 0].max()) for line in lines) + rng.uniform(1, 2.5)
    return _written(lines, rng)


def printed_words(rng: Generator) -> Picture:
    """Print some lines of text."""
    shape = a_shape(rng, 260, 600)
    pixels = grounds.office_paper(shape, rng)
    size = shape[0] * rng.uniform(0.03, 0.09)
    ink = np.zeros(shape, np.float32)
    for row in np.arange(rng.uniform(0.5, 2) * size, shape[0] - 2 * size, size * rng.uniform(1.4, 2)):
        text = " ".join(rng.choice(marks.WORDS, 4))
        ink += marks.placed(marks.printed(text, size), shape, 0.06 * shape[1], row)
    pixels = lay(pixels, ink.clip(0, 1), pens.black(rng))
    return (scanner, phone)[rng.integers(2)](pixels, rng)


def empty_ground(rng: Generator) -> Picture:
    """Photograph paper, a board or a table with nothing on it."""
    choices: tuple[Ground, ...] = (
        grounds.paper, grounds.tinted_paper, grounds.ruled_paper, grounds.squared_paper, grounds.margin_paper,
        grounds.copybook_paper, grounds.whiteboard, grounds.blackboard, grounds.table,
    )  # fmt: skip
    pixels = choices[rng.integers(len(choices))](a_shape(rng), rng)
    return phone(pixels, rng)


def empty_light(rng: Generator) -> Picture:
    """Photograph empty paper in shadow, crumpled, with a table beside it, or scanned with dark edges."""
    choices = (
        lights.hard_shadow, lights.soft_shadow, lights.crumpled, lights.folded, lights.vignette,
        surroundings.whole_sheet, surroundings.table_strip, surroundings.scan_edge, surroundings.scan_corners,
        surroundings.dark_frame,
    )  # fmt: skip
    pixels = choices[rng.integers(len(choices))](grounds.paper(a_shape(rng), rng), rng)
    return phone(pixels, rng)


def empty_program(rng: Generator) -> Picture:
    """Leave the canvas of a program empty, or click on it once."""
    shape = a_shape(rng, 28, 500)
    ink = np.zeros(shape, np.float32)
    if chance(rng, 0.4):
        place = tuple(int(side * rng.uniform(0.2, 0.8)) for side in shape[::-1])
        cv2.circle(ink, place, max(min(shape) // 40, 1), 1, -1)
    colours = (BLACK, WHITE) if chance(rng, 0.5) else (WHITE, BLACK)
    return as_drawn(lay(flat(shape, colours[0]), ink, colours[1]), rng)


def things(rng: Generator) -> Picture:
    """Photograph a few things: rounded and cornered bodies with light and shade on a table or before a wall."""
    shape = a_shape(rng)
    ground = (grounds.table, grounds.paper, grounds.plain_table)[rng.integers(3)]
    pixels = ground(shape, rng)
    for _ in range(rng.integers(1, 8)):
        pixels = _with_thing(pixels, shape, rng)
    return phone(pixels, rng)


def foliage(rng: Generator) -> Picture:
    """Photograph grass, leaves, clouds or fur: texture at all sizes, in two colours."""
    shape = a_shape(rng)
    field = sum(0.65**octave * smooth_noise(shape, shape[0] / 2 ** (octave + 1), rng) for octave in range(6))
    share = np.clip(0.5 + 0.5 * np.asarray(field, np.float32), 0, 1)
    first, second = rng.uniform(20, 235, (2, 3))
    pixels = lay(flat(shape, tuple(first.tolist())), share, tuple(second.tolist()))
    return phone(pixels, rng)


SYMBOLS: dict[str, SymbolKind] = {
    "letter": letter,
    "sign": sign,
    "doodle": doodle,
    "scribble": scribble,
    "word": word,
    "printed words": printed_words,
    "empty ground": empty_ground,
    "empty page in some light": empty_light,
    "empty canvas": empty_program,
    "things": things,
    "foliage": foliage,
}


def _hand_line(points: Line, rng: Generator) -> Line:
    """Return straight lines as a hand draws them: with points between, which are a little off."""
    share = np.linspace(0, 1, 6, dtype=np.float32)[:, np.newaxis]
    parts = [start + (end - start) * share for start, end in pairwise(points)]
    line = np.concatenate(parts)
    return line + np.cumsum(rng.normal(0, 0.03, line.shape), axis=0).astype(np.float32)


def _written(lines: Sequence[Line], rng: Generator) -> Picture:
    """Write lines on paper, a board, a program's canvas, or a picture of 28x28."""
    lean = rng.normal(0, 0.12)
    matrix = np.float32([[rng.uniform(0.8, 1.2), 0], [-lean, 1]])
    lines = [line @ matrix for line in lines]
    if chance(rng, 0.2):
        return _tiny(lines, rng)
    if chance(rng, 0.35):
        return as_drawn(_inked(lines, program_ground, program_pen(rng), rng), rng)
    if chance(rng, 0.15):
        return phone(_inked(lines, grounds.blackboard, pens.chalk(rng), rng), rng)
    ground = (grounds.paper, grounds.paper, grounds.tinted_paper, grounds.ruled_paper)[rng.integers(4)]
    return any_camera(_inked(lines, ground, pens.any_pen(rng), rng), rng)


def _inked(lines: Sequence[Line], ground: Ground, pen: Pen, rng: Generator) -> Pixels:
    shape = a_shape(rng, 240, 600)
    height = rng.uniform(0.35, 0.7) * min(shape)
    return lay(ground(shape, rng), _placed(lines, shape, height, replace(pen, own_stroke=False), rng), pen.colour)


def _placed(lines: Sequence[Line], shape: Shape, height: float, pen: Pen, rng: Generator) -> Field:
    points = np.concatenate(lines)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    factor = height / max(float(extent.max()), 1)
    free = np.array([shape[1], shape[0]]) - extent * factor
    offset = (free * np.clip(rng.normal(0.5, 0.1, 2), 0.1, 0.9)).astype(np.float32)
    moved = [(line - low) * np.float32(factor) + offset for line in lines]
    return ink_of_lines(shape, [piece for line in moved for piece in marks.pieces(line)], pen, height, rng)


def _tiny(lines: Sequence[Line], rng: Generator) -> Picture:
    """Draw lines as MNIST has digits: white on black, 20 of 28 pixels high."""
    pen = Pen(WHITE, rng.uniform(0.08, 0.15), pressure=0.1)
    large = _placed(lines, (224, 224), 158, pen, rng)
    small = np.asarray(cv2.resize(large, (28, 28), interpolation=cv2.INTER_AREA))
    picture = np.clip(np.rint(255 * small / max(float(small.max()), 0.1)), 0, 255).astype(np.uint8)
    return picture if chance(rng, 0.6) else 255 - picture


def _with_thing(pixels: Pixels, shape: Shape, rng: Generator) -> Pixels:
    """Lay one thing on the picture: an ellipse or a polygon with a shaded side and a shadow below."""
    middle = np.array([shape[1], shape[0]]) * rng.uniform(0.1, 0.9, 2)
    radius = rng.uniform(0.05, 0.35) * min(shape)
    corners = int(rng.choice([4, 4, 5, 40]))
    angles = np.sort(rng.uniform(0, 2 * math.pi, corners)) if corners < 40 else np.linspace(0, 2 * math.pi, 40)
    radii = radius * rng.uniform(0.3, 1, 2)
    points = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.int32(np.rint(points)).reshape(-1, 1, 2)], 1, cv2.LINE_AA)
    shadow = soften(np.roll(mask, (int(radius / 6), int(radius / 8)), (0, 1)), max(radius / 8, 1))
    columns, rows = coordinates(shape)
    shade = np.clip(1 - 0.35 * ((columns - middle[0]) + (rows - middle[1])) / radius, 0.35, 1.5)
    colour = rng.uniform(15, 240, 3)
    body = scale(flat(shape, tuple(colour.tolist())), np.broadcast_to(shade, shape))
    below = scale(pixels, 1 - np.float32(0.5) * shadow)
    share = mask[..., np.newaxis]
    return np.clip(below * (1 - share) + body * share, 0, 255).astype(np.float32)
