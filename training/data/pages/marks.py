"""Marks that are no digits: what is printed on paper, what people draw round digits, other writing, and dirt.

A mark is drawn near a box, which holds the writing, or anywhere on the page. Knows no network and no camera.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from training.data.pages.canvas import Box, Canvas, Colour, Coverage
from training.data.pages.pens import crop, draw_strokes, smooth_noise
from training.data.synthetic_glyphs import SYMBOLS, Stroke, catmull_rom, parse_glyph

_PRINTED = "abcdefghijkmnpqrtuvwxyzABCDEFGHJKLMNPRTUVWXY0123456789.,:-"
_FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral")
"""Fonts that come with Matplotlib."""
_LOW_SIGNS = (
    "15 95 / 51 59",
    "15 95",
    "16 94",
    "14 94 / 16 96",
    "11 89 / 81 19",
    "15 95 / 52 52 / 58 58",
    "55 55",
    "51 59 / 23 87 / 83 27",
    "82 15 88",
    "22 95 28",
)
"""Signs that stand between digits and are lower: + - = x ÷ . * < and >, in the notation of `synthetic_glyphs`."""
_TALL_SIGNS = (
    "(61 34 36 69)",
    "(41 64 66 39)",
    "(71 44 46 79)",
    "(31 54 56 39)",
    "81 29",
    "71 39",
    "61 31 39 69",
    "41 71 79 49",
)
"""Signs that stand between digits and are as high or higher: parentheses, slashes and brackets."""


def rule_paper(canvas: Canvas, box: Box, rng: np.random.Generator) -> None:
    """Print lines or squares on the whole page, as wide apart as suits the writing in `box`."""
    pitch = max(box.height * np.exp(rng.uniform(-1.9, 0.7)), 6)
    slope = rng.normal(0, 0.02)
    width = max(rng.uniform(0.4, 0.09 * min(pitch, 40)), 0.5)
    squared = rng.random() < 0.45
    colour = _print_colour(canvas, rng)
    strength = rng.uniform(0.2, 1)
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    wave = rng.uniform(0, 2) * np.sin(x * rng.uniform(0.005, 0.03) + rng.uniform(0, 6)) if rng.random() < 0.4 else 0
    offset = rng.uniform(0, pitch)
    lines = _stripes(y + slope * x + wave + offset, pitch, width)
    if rng.random() < 0.12:  # copybook: two lines close together, then a gap
        lines = np.maximum(lines, _stripes(y + slope * x + wave + offset + pitch * 0.4, pitch, width))
    if squared:
        columns = pitch if rng.random() < 0.8 else pitch * rng.uniform(1, 4)
        lines = np.maximum(lines, _stripes(x - slope * y + rng.uniform(0, columns), columns, width))
    canvas.paint(lines * strength, colour)
    if not squared and rng.random() < 0.25:
        margin = np.clip(
            rng.uniform(0.5, 2) - np.abs(x - slope * y - rng.uniform(0.05, 0.95) * canvas.width) + 0.5, 0, 1
        )
        canvas.paint((margin * rng.uniform(0.3, 0.9)).astype(np.float32), np.array([200, 60, 60], np.float32))


def _stripes(position: npt.NDArray[np.float32], pitch: float, width: float) -> Coverage:
    distance = np.abs((position % pitch) - pitch / 2)
    return np.asarray(np.clip(width / 2 - distance + 0.5, 0, 1), np.float32)


def draw_boxes(canvas: Canvas, box: Box, rng: np.random.Generator) -> None:
    """Draw the box of a form round `box`, or a row or table of boxes of which it is one."""
    margin = rng.uniform(0.04, 0.9) * max(box.width, box.height)
    width, height = box.width + margin * rng.uniform(0.8, 1.4), box.height + margin
    if rng.random() < 0.4:
        width = height = max(width, height)
    left, top = box.left - (width - box.width) / 2, box.top - (height - box.height) / 2
    before, after, above, below = rng.integers(0, 4, 4) * (rng.random(4) < [0.5, 0.5, 0.2, 0.2])
    gap = rng.uniform(0, 0.4) * width if rng.random() < 0.25 else 0.0
    open_top = rng.random() < 0.15
    thickness = max(rng.uniform(0.015, 0.09) * box.height, 0.7)
    skew = rng.normal(0, 0.015)
    colour = _mark_colour(canvas, rng)
    layer = np.zeros((canvas.height, canvas.width), np.uint8)
    for column in range(-before, after + 1):
        for row in range(-above, below + 1):
            x, y = left + column * (width + gap), top + row * (height + (gap if above + below else 0))
            corners = np.array([[x, y], [x, y + height], [x + width, y + height], [x + width, y]])
            corners += rng.normal(0, 0.01, (4, 2)) * width
            corners[:, 1] += skew * (corners[:, 0] - left)
            points = np.round(corners * 8).astype(np.int32)
            cv2.polylines(layer, [points], not open_top, 255, max(round(thickness), 1), cv2.LINE_AA, 3)
    strength = min(thickness, 1) * rng.uniform(0.4, 1)
    canvas.paint(layer.astype(np.float32) * (strength / 255), colour)


def draw_ring(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Draw a ring round `box` by hand; sometimes it touches what is in the box."""
    turn = np.linspace(0, 2 * np.pi * rng.uniform(0.93, 1.12), 48) + rng.uniform(0, 6)
    size = rng.uniform(0.95, 2.0)
    a = max(box.width, 0.55 * box.height) * 0.62 * size * rng.uniform(0.9, 1.25)
    b = box.height * 0.6 * size
    if rng.random() < 0.4:
        a = b = max(a, b)
    wobble = 1 + 0.05 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.03 * np.sin(3 * turn + rng.uniform(0, 6))
    drift = 1 + np.linspace(0, rng.uniform(-0.1, 0.12), 48)
    middle = np.array([box.left + box.width / 2, box.top + box.height / 2]) + rng.normal(0, 0.05, 2) * box.height
    points = np.stack([a * np.cos(turn), b * np.sin(turn)], axis=1) * (wobble * drift)[:, np.newaxis] + middle
    _paint_line(canvas, points, max(rng.uniform(0.02, 0.14) * box.height, 0.8), colour)


def draw_underline(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Draw one or two lines below (rarely above or through the foot of) `box`; sometimes they touch the writing."""
    thickness = max(rng.uniform(0.02, 0.13) * box.height, 0.8)
    y = box.top + box.height + rng.uniform(-0.06, 0.35) * box.height
    if rng.random() < 0.12:
        y = box.top - rng.uniform(-0.04, 0.3) * box.height
    reach = rng.uniform(0.7, 2.2) * max(box.width, 0.5 * box.height)
    x = box.left + box.width / 2 + rng.uniform(-0.25, 0.25) * box.width
    slope = rng.normal(0, 0.06)
    for _ in range(1 if rng.random() < 0.85 else 2):
        along = np.linspace(-reach / 2, reach / 2, 12)
        wave = rng.normal(0, 0.02) * box.height * np.sin(along / reach * 6)
        _paint_line(canvas, np.stack([x + along, y + slope * along + wave], axis=1), thickness, colour)
        y += thickness * rng.uniform(1.8, 3)


def draw_stain(canvas: Canvas, box: Box, rng: np.random.Generator) -> None:
    """Draw the ring of a cup, or a spot of coffee, over or near `box`."""
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    middle = np.array([box.left + box.width / 2, box.top + box.height / 2]) + rng.normal(0, 0.8, 2) * box.height
    radius = rng.uniform(0.4, 1.6) * box.height
    edge = 1 + rng.uniform(0, 0.12) * (smooth_noise(x.shape, 5, rng) - 0.5)
    distance = np.hypot(x - middle[0], (y - middle[1]) * rng.uniform(0.85, 1.15)) / (radius * edge)
    if rng.random() < 0.55:
        width = rng.uniform(0.015, 0.12)
        coverage = np.exp(-(((distance - 1) / width) ** 2)) * (0.25 + 0.75 * smooth_noise(x.shape, 3, rng))
        coverage += rng.uniform(0, 0.25) * (distance < 1)
    else:  # a spot, whose rim is darker
        distance = distance * (1 + rng.uniform(0, 0.5) * (smooth_noise(x.shape, int(rng.integers(4, 12)), rng) - 0.5))
        coverage = np.clip((1 - distance) * rng.uniform(2, 30), 0, 1) * rng.uniform(0.2, 0.9)
        coverage += rng.uniform(0, 0.6) * np.exp(-(((distance - 0.97) / rng.uniform(0.01, 0.08)) ** 2))
    colour = np.array([110, 70, 30], np.float32) * rng.uniform(0.5, 1.7)
    canvas.paint((np.clip(coverage, 0, 1) * rng.uniform(0.2, 0.95)).astype(np.float32), colour)


def draw_finger(canvas: Canvas, box: Box, rng: np.random.Generator) -> None:
    """Draw a finger or a thumb that reaches into the page beside `box`, from the border."""
    width = rng.uniform(0.1, 0.3) * canvas.width
    side = int(rng.integers(4))
    gap = (box.left, box.top, canvas.width - box.left - box.width, canvas.height - box.top - box.height)[side]
    reach = max(gap, 4) * rng.uniform(0.3, 1.0)
    along = rng.uniform(0, canvas.height if side in (0, 2) else canvas.width)
    tips = ((reach, along), (along, reach), (canvas.width - reach, along), (along, canvas.height - reach))
    tip = np.array(tips[side])
    inward = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][side], float)
    root = tip - inward * (reach + width) + rng.normal(0, 0.3, 2) * width
    layer = np.zeros((canvas.height, canvas.width), np.uint8)
    ends = np.round(np.stack([tip - inward * width / 2, root]) * 8).astype(np.int32)
    cv2.line(layer, ends[0], ends[1], 255, max(round(width), 2), cv2.LINE_AA, 3)
    light = 0.75 + 0.5 * np.asarray(cv2.GaussianBlur(layer, (0, 0), width / 4), np.float32) / 255
    skin = np.array([220, 170, 140], np.float32) * rng.uniform(0.25, 1.1)
    coverage = layer.astype(np.float32)[..., np.newaxis] / 255
    canvas.pixels += coverage * (np.clip(skin * light[..., np.newaxis], 0, 255) - canvas.pixels)


def draw_holes(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw punch holes, dots, staples or specks."""
    kind = rng.random()
    colour = _mark_colour(canvas, rng)
    if kind < 0.4:  # punch holes along one side
        radius = rng.uniform(0.015, 0.05) * canvas.width
        across = rng.uniform(0.03, 0.12) if rng.random() < 0.7 else rng.uniform(0.85, 0.97)
        for along in rng.uniform(0, 1) + np.arange(rng.integers(1, 4)) * rng.uniform(0.2, 0.5):
            at = np.array([across, along % 1.0])
            at = (at if rng.random() < 0.8 else at[::-1]) * [canvas.width, canvas.height]
            disc = np.zeros((canvas.height, canvas.width), np.uint8)
            centre = np.round(at * 8).astype(int).tolist()
            cv2.circle(disc, centre, round(radius * 8), 255, cv2.FILLED, cv2.LINE_AA, 3)
            canvas.paint(np.asarray(disc.astype(np.float32) / 255, np.float32), colour)
    elif kind < 0.7:  # staples
        for _ in range(rng.integers(1, 3)):
            at = rng.uniform(0, 1, 2) * [canvas.width, canvas.height]
            step = rng.normal(0, 0.05, 2) * canvas.width
            _paint_line(
                canvas, np.stack([at, at + step]), rng.uniform(1, 4), rng.uniform(60, 220) * np.ones(3, np.float32)
            )
    else:  # specks
        size = rng.uniform(0.5, 3)
        for at in rng.uniform(0, 1, (rng.integers(3, 60), 2)) * [canvas.width, canvas.height]:
            _paint_line(canvas, np.stack([at, at + rng.normal(0, 1, 2)]), size, colour)


def write_caption(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Print a word or a line of text beside `box`, or the labels of an axis round it."""
    size = int(np.clip(box.height * rng.uniform(0.1, 0.3), 6, 22))
    if rng.random() < 0.35:
        for along in np.arange(rng.integers(3, 8)):
            label = print_text(str(rng.choice([int(along) * 5, int(along) * 10, int(rng.integers(100))])), size, rng)
            step = box.width / 5
            canvas.paint(
                label, colour, round(box.left + along * step), round(box.top + box.height * rng.uniform(1.05, 1.08)) + 3
            )
            canvas.paint(label, colour, round(box.left - label.shape[1] - 4), round(box.top + along * step))
        return
    for _ in range(rng.integers(1, 4)):
        length = int(rng.integers(2, 14))
        text = "".join(rng.choice(list(_PRINTED), length))
        printed = print_text(text, size, rng)
        above = rng.random() < 0.5
        y = box.top - size * rng.uniform(1.3, 3) if above else box.top + box.height + size * rng.uniform(0.4, 2)
        canvas.paint(printed, colour, round(box.left + rng.uniform(-0.8, 0.8) * box.width), round(y))


def write_letters(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Write letters, signs or a word by hand within or beside `box`."""
    height = box.height * rng.uniform(0.5, 1.1)
    pen = max(rng.uniform(0.04, 0.14) * height, 0.9)
    left, top = box.left, box.top
    for _ in range(rng.integers(1, 8) if rng.random() < 0.5 else 1):
        glyph = draw_symbol(height, pen, rng)
        canvas.paint(glyph, colour, round(left), round(top + (box.height - glyph.shape[0]) / 2))
        left += glyph.shape[1] + height * rng.uniform(0, 0.3)


def draw_symbol(height: float, pen: float, rng: np.random.Generator) -> Coverage:
    """Draw one letter or symbol by hand."""
    return _draw_any(SYMBOLS, height, pen, rng)


def draw_sign(height: float, pen: float, rng: np.random.Generator) -> Coverage:
    """Draw a sign that stands between digits of this height by hand."""
    if rng.random() < 0.6:
        return _draw_any(_LOW_SIGNS, height * rng.uniform(0.3, 0.9), pen, rng)
    return _draw_any(_TALL_SIGNS, height * rng.uniform(0.9, 1.7), pen, rng)


def _draw_any(glyphs: Sequence[str], height: float, pen: float, rng: np.random.Generator) -> Coverage:
    return draw_strokes(_parse(glyphs[int(rng.integers(len(glyphs)))]), height, pen, rng, angle=rng.normal(0, 0.1))


def scribble(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Draw a scribble: a curve through more points than a digit has."""
    points = catmull_rom(rng.random((int(rng.integers(8, 18)), 2))) * [box.width, box.height] + [box.left, box.top]
    _paint_line(canvas, points, max(rng.uniform(0.03, 0.12) * box.height, 0.8), colour)


def draw_lines(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    """Draw single lines, arrows or curves across a part of the page."""
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(-0.1, 1.1, (int(rng.integers(2, 5)), 2)) * [canvas.width, canvas.height]
        if rng.random() < 0.5:  # level or upright
            points[:, rng.integers(2)] = rng.uniform(0, 1) * canvas.width
        line = catmull_rom(points) if len(points) > 2 else points
        _paint_line(canvas, line, rng.uniform(0.8, 5), colour)


def print_text(text: str, size: int, rng: np.random.Generator) -> Coverage:
    """Return printed `text`, `size` pixels high."""
    name = _FONTS[rng.integers(len(_FONTS))]
    image = Image.new("L", (size * (len(text) + 1), 2 * size))
    ImageDraw.Draw(image).text((size // 4, size // 4), text, fill=255, font=_font(name, size))
    return crop(np.asarray(np.asarray(image, np.float32) / 255, np.float32))


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont(name), size)


@lru_cache(maxsize=512)
def _parse(glyph: str) -> tuple[Stroke, ...]:
    return tuple(parse_glyph(glyph))


def _paint_line(canvas: Canvas, points: npt.NDArray[np.float64], width: float, colour: Colour) -> None:
    layer = np.zeros((canvas.height, canvas.width), np.uint8)
    fixed = np.round(points * 8).astype(np.int32)
    cv2.polylines(layer, [fixed], False, 255, max(round(width), 1), cv2.LINE_AA, 3)  # noqa: FBT003 (positional only)
    canvas.paint(layer.astype(np.float32) * (min(width, 1) / 255), colour)


def _mark_colour(canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Return a colour that can be seen on the page: often black or white, or any other."""
    light = canvas.pixels[::16, ::16].mean() < 110
    level = rng.uniform(170, 255) if light else rng.uniform(0, 110)
    colour = np.full(3, level, np.float32)
    return colour if rng.random() < 0.7 else np.clip(colour + rng.uniform(-90, 90, 3), 0, 255).astype(np.float32)


def _print_colour(canvas: Canvas, rng: np.random.Generator) -> Colour:
    """Return the colour of ruled lines: often a light blue or grey."""
    if canvas.pixels[::16, ::16].mean() < 110 or rng.random() < 0.4:
        return _mark_colour(canvas, rng)
    return np.asarray(rng.uniform(60, 190) * np.array([rng.uniform(0.5, 1), rng.uniform(0.8, 1), 1]), np.float32)
