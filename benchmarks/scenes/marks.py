"""What stands beside or across a digit on its page: rings, boxes, underlines, stains, holes, printing.

Each mark is a function of a page and a random generator, and returns the page with the mark.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.scenes.pages import Box, Page
from benchmarks.scenes.pens import any_pen, black, ink_of_digit, ink_of_lines
from benchmarks.scenes.strokes import Line
from benchmarks.scenes.textures import (
    Field,
    Generator,
    Grey,
    Shape,
    chance,
    coordinates,
    fractal_noise,
    jittered,
    scale,
    smooth_noise,
    soften,
)

WORDS = (
    "Name", "Date", "Page", "Total", "Class", "Exercise", "Maths", "Homework", "Draw here", "Sample", "Score", "Room",
    "Handwriting", "Figure", "Test sheet", "Please write clearly", "Quantity", "Answer", "Post code", "Label",
)  # fmt: skip


def printed(text: str, height: float) -> Field:
    """Return printed text, 0 to 1, with letters of about `height` pixels."""
    font = ImageFont.load_default(max(height, 6))
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (math.ceil(right - left) + 2, math.ceil(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, fill=255, font=font)
    return np.asarray(image, np.float32) / 255


def placed(tile: Field, shape: Shape, left: float, top: float) -> Field:
    """Return a field of zeros with `tile` at a place, cut by the borders."""
    alpha = np.zeros(shape, np.float32)
    row, column = round(top), round(left)
    first = (max(-row, 0), max(-column, 0))
    rows, columns = min(tile.shape[0], shape[0] - row), min(tile.shape[1], shape[1] - column)
    if rows > first[0] and columns > first[1]:
        alpha[row + first[0] : row + rows, column + first[1] : column + columns] = tile[
            first[0] : rows, first[1] : columns
        ]
    return alpha


def drawn(page: Page, lines: Sequence[Line], rng: Generator, *, same_pen: float = 0.7) -> Page:
    """Draw lines by hand: in this share of the cases with the digit's pen, otherwise with another."""
    pen = page.pen if chance(rng, same_pen) else any_pen(rng)
    pen = replace(pen, own_stroke=False)
    return page.over(ink_of_lines(page.shape, lines, pen, page.box.side, rng), pen.colour)


def pieces(line: Line) -> list[Line]:
    """Cut a line into its segments, so that the pressure of the pen changes along it."""
    return [line[index : index + 2] for index in range(len(line) - 1)]


def ring(page: Page, rng: Generator) -> Page:
    """Draw a ring by hand round the digit; it touches the digit sometimes, and does not always close."""
    room = rng.uniform(0.86, 1) if chance(rng, 0.25) else rng.uniform(1.05, 1.5)
    radii = np.array([max(page.box.width, 0.55 * page.box.side), page.box.height]) / math.sqrt(2) * room
    if chance(rng, 0.5):
        radii[:] = radii.mean() * np.array([1.05, 1])
    start, overshoot = rng.uniform(0, 2 * math.pi), rng.normal(0.25, 0.25)
    angles = np.linspace(start, start + 2 * math.pi + overshoot, 120)
    bumps = sum(rng.normal(0, 0.035 / order) * np.cos(order * angles + rng.uniform(0, 6)) for order in (1, 2, 3, 4))
    drift = rng.normal(0, 0.05) * np.linspace(-1, 1, len(angles))
    radius = (1 + bumps + drift)[:, np.newaxis]
    middle = np.array(page.box.middle) + rng.normal(0, 0.03, 2) * page.box.side
    points = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii * radius
    return drawn(page, pieces(points.astype(np.float32)), rng)


def underline(page: Page, rng: Generator, gap: float) -> Page:
    """Draw one or two lines under the digit, `gap` digit heights below its lowest ink."""
    half = page.box.side * rng.uniform(0.4, 0.85)
    middle, row = page.box.middle[0], page.box.bottom + gap * page.box.side
    lines: list[Line] = []
    for _ in range(1 + chance(rng, 0.2)):
        along = np.linspace(-1, 1, 14)
        wave = np.cumsum(rng.normal(0, 0.004, 14)) + rng.normal(0, 0.03) * along
        points = np.stack([middle + half * along, row + page.box.side * wave], axis=1)
        lines += pieces(points.astype(np.float32))
        row += page.box.side * rng.uniform(0.06, 0.12)
    return drawn(page, lines, rng, same_pen=0.8)


def underline_touching(page: Page, rng: Generator) -> Page:
    """Draw a line that the digit stands on."""
    return underline(page, rng, rng.uniform(-0.04, 0.01))


def underline_apart(page: Page, rng: Generator) -> Page:
    """Draw a line a little below the digit."""
    return underline(page, rng, rng.uniform(0.08, 0.3))


def box_round(page: Page, rng: Generator, room: tuple[float, float] = (0.1, 0.5)) -> Box:
    """Return a rectangle round the digit, a share `room` of the digit's size away, and not outside the page."""
    gaps = page.box.side * rng.uniform(*room, 4)
    left, top = max(page.box.left - gaps[0], 4), max(page.box.top - gaps[1], 4)
    right = min(max(page.box.right + gaps[2], left + 0.7 * page.box.side), page.shape[1] - 5)
    bottom = min(page.box.bottom + gaps[3], page.shape[0] - 5)
    return Box(round(left), round(top), round(right - left), round(bottom - top))


def outlined(page: Page, boxes: Sequence[Box], rng: Generator, *, open_top: bool = False, thickness: int = 0) -> Page:
    """Draw the outlines of boxes as a printer or a program does, grey or black."""
    alpha = np.zeros(page.shape, np.float32)
    thickness = thickness or int(rng.integers(1, max(3, page.box.side // 28)))
    for box in boxes:
        top = box.top + (box.height * rng.uniform(0.3, 0.8) if open_top else 0)
        corners = [(box.left, top), (box.left, box.bottom), (box.right, box.bottom), (box.right, top)]
        points = np.int32(np.rint(corners)).reshape(-1, 1, 2)
        cv2.polylines(alpha, [points], isClosed=not open_top, color=1, thickness=thickness)
    colour = jittered((150, 150, 150), 40, rng) if chance(rng, 0.4) else black(rng)
    return page.over(alpha, colour)


def box(page: Page, rng: Generator) -> Page:
    """Print a box round the digit, whole or open at the top."""
    return outlined(page, [box_round(page, rng)], rng, open_top=chance(rng, 0.3))


def edge_box(page: Page, rng: Generator) -> Page:
    """Cut the page out along a box, so that all of its lines, or two or three of them, lie at the border."""
    around = box_round(page, rng, (0.12, 0.4))
    thickness = int(rng.integers(2, 7))
    page = outlined(page, [around], rng, thickness=thickness)
    reach = thickness // 2
    inside = rng.integers(0, 2, 4) * (reach + 1) if chance(rng, 0.4) else np.zeros(4, int)
    left, top = around.left - reach + 2 * inside[0], around.top - reach + 2 * inside[1]
    return page.cut(left, top, around.right + reach + 1 - 2 * inside[2], around.bottom + reach + 1 - 2 * inside[3])


def box_row(page: Page, rng: Generator) -> Page:
    """Print a row of three boxes, the digit in one of them, and leave the others empty."""
    first = box_round(page, rng, (0.08, 0.25))
    gap = 0 if chance(rng, 0.6) else round(first.width * rng.uniform(0.05, 0.25))
    position = int(rng.integers(3))
    boxes = [first._replace(left=first.left + (index - position) * (first.width + gap)) for index in range(3)]
    return outlined(page, boxes, rng, open_top=chance(rng, 0.15))


def coffee_ring(page: Page, rng: Generator) -> Page:
    """Leave the ring of a cup across the digit or near it."""
    radius = page.box.side * rng.uniform(0.55, 1.3)
    angle = rng.uniform(0, 2 * math.pi)
    away = radius * rng.uniform(0.55, 1.25)
    columns, rows = coordinates(page.shape)
    columns, rows = (
        columns - page.box.middle[0] - away * math.cos(angle),
        rows - page.box.middle[1] - away * math.sin(angle),
    )
    distance = np.hypot(columns, rows) + radius * 0.02 * smooth_noise(page.shape, radius / 4, rng)
    width = radius * rng.uniform(0.03, 0.09)
    band = np.exp(-(((distance - radius) / width) ** 2)) + 0.7 * np.exp(
        -(((distance - radius - width) / (0.3 * width)) ** 2)
    )
    uneven = np.clip(0.75 + 0.35 * smooth_noise(page.shape, radius / 2, rng), 0.1, 1.2)
    return _stained(page, band * uneven * np.float32(rng.uniform(0.35, 0.8)), rng)


def coffee_stain(page: Page, rng: Generator) -> Page:
    """Spill coffee across the digit or near it: a blot with a dark border, and drops."""
    columns, rows = coordinates(page.shape)
    total = np.zeros(page.shape, np.float32)
    for number in range(1 + rng.integers(0, 4)):
        radius = page.box.side * (rng.uniform(0.3, 0.75) if number == 0 else rng.uniform(0.04, 0.15))
        middle = np.array(page.box.middle) + rng.normal(0, 0.5, 2) * page.box.side
        distance = np.hypot(columns - middle[0], rows - middle[1]) / radius + 0.15 * fractal_noise(
            page.shape, radius, rng
        )
        inside = 1 / (1 + np.exp(np.clip((distance - 1) * 40, -50, 50)))
        rim = np.exp(-(((distance - 0.97) / 0.05) ** 2))
        total = np.maximum(total, 0.45 * inside + 0.5 * rim)
    return _stained(page, total * np.float32(rng.uniform(0.4, 0.9)), rng)


def _stained(page: Page, strength: Field, rng: Generator) -> Page:
    """Multiply by the colour of coffee: what is under it stays visible."""
    colour = np.float32(jittered((150, 98, 52), 20, rng)) / 255
    return replace(page, pixels=page.pixels * (1 - np.clip(strength, 0, 1)[..., np.newaxis] * (1 - colour)))


def punch_holes(page: Page, rng: Generator) -> Page:
    """Punch two or four holes near one side; what lies below them is dark, or in shadow."""
    alpha = np.zeros(page.shape, np.float32)
    height, width = page.shape
    radius = rng.uniform(0.018, 0.04) * min(height, width)
    column = rng.uniform(0.04, 0.09) * width + radius
    if chance(rng, 0.25):
        column = width - column
    for row in np.linspace(0.2, 0.8, 2 if chance(rng, 0.6) else 4) + rng.uniform(-0.1, 0.1):
        centre = (round(16 * column), round(16 * row * height))
        cv2.circle(alpha, centre, round(16 * radius), 1, -1, cv2.LINE_AA, 4)
    level = rng.uniform(10, 150)
    return page.over(soften(alpha, 0.6), (level, level * 0.97, level * 0.93))


def staples(page: Page, rng: Generator) -> Page:
    """Staple the page: one or two short bright wires with a shadow, near the top."""
    for _ in range(1 + chance(rng, 0.35)):
        length = rng.uniform(0.06, 0.12) * min(page.shape)
        angle = rng.choice([0, math.pi / 4, math.pi / 2, -math.pi / 4]) + rng.normal(0, 0.12)
        along = np.array([math.cos(angle), math.sin(angle)]) * length / 2
        middle = np.array([rng.uniform(0.06, 0.94) * page.shape[1], rng.uniform(0.05, 0.13) * page.shape[0]])
        wire, shadow = np.zeros(page.shape, np.float32), np.zeros(page.shape, np.float32)
        thickness = max(round(length / 12), 2)
        ends = [tuple(int(value) for value in np.rint(middle + sign * along)) for sign in (-1, 1)]
        cv2.line(wire, ends[0], ends[1], 1, thickness, cv2.LINE_AA)
        cv2.line(shadow, *[(x + thickness // 2 + 1, y + thickness) for x, y in ends], 1, thickness + 1, cv2.LINE_AA)
        page = page.over(0.7 * soften(shadow, 1), (30, 30, 32)).over(wire, jittered((150, 150, 155), 50, rng))
    return page


def caption(page: Page, rng: Generator) -> Page:
    """Print a word or two under the digit, as under a figure."""
    text = " ".join(rng.choice(WORDS, rng.integers(1, 3), replace=False))
    tile = printed(text, page.box.side * rng.uniform(0.09, 0.22))
    top = page.box.bottom + page.box.side * rng.uniform(0.1, 0.3)
    left = page.box.middle[0] - tile.shape[1] * rng.uniform(0.35, 0.65)
    top = min(top, page.shape[0] - tile.shape[0] - 2)
    return page.over(placed(tile, page.shape, max(left, 2), top) * np.float32(rng.uniform(0.6, 1)), black(rng))


def heading(page: Page, rng: Generator) -> Page:
    """Print a line or some lines of words at the top of the page or at its foot."""
    size = rng.uniform(0.025, 0.05) * page.shape[0]
    top = rng.uniform(0.02, 0.05) * page.shape[0]
    if page.box.top < 0.2 * page.shape[0]:
        top = page.shape[0] * 0.97 - 3 * size
    for _ in range(rng.integers(1, 3)):
        text = " ".join(rng.choice(WORDS, rng.integers(1, 5), replace=False))
        tile = printed(text, size)
        page = page.over(placed(tile, page.shape, rng.uniform(0.03, 0.3) * page.shape[1], top), black(rng))
        top += 1.5 * size
    return page


def finger(page: Page, rng: Generator) -> Page:
    """Hold the page: a thumb or a finger comes in from one border."""
    height, width = page.shape
    columns, rows = coordinates(page.shape)
    side = rng.integers(4)
    start = np.array([(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1)][side]) * (width, height)
    along = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)][side]) + rng.normal(0, 0.3, 2)
    along /= np.hypot(*along)
    start = start + np.array([along[1], along[0]]) * rng.uniform(-0.35, 0.35) * min(page.shape)
    radius = rng.uniform(0.08, 0.15) * min(page.shape)
    reach = rng.uniform(0.03, 0.2) * min(page.shape)
    ahead = (columns - start[0]) * along[0] + (rows - start[1]) * along[1]
    aside = (columns - start[0]) * along[1] - (rows - start[1]) * along[0]
    distance = np.hypot(np.maximum(ahead - reach, 0), aside) / radius
    skin = np.float32(
        jittered(((224, 172, 138), (198, 134, 96), (141, 85, 54), (92, 60, 44))[rng.integers(4)], 14, rng)
    )
    shape = np.clip((1 - distance) * radius / 2, 0, 1)
    shade = soften(np.clip((1.25 - distance) * 2, 0, 1).astype(np.float32), radius / 4)
    pixels = scale(page.pixels, 1 - np.float32(rng.uniform(0.1, 0.45)) * shade)
    light = 1.06 - 0.45 * np.clip(distance, 0, 1) ** 3 + 0.03 * smooth_noise(page.shape, radius / 6, rng)
    nail = np.clip((1 - np.hypot((ahead - reach - 0.25 * radius) / (0.65 * radius), aside / (0.55 * radius))) * 6, 0, 1)
    flesh = (skin * (1 - 0.25 * nail[..., np.newaxis]) + 0.25 * nail[..., np.newaxis] * 250) * light[..., np.newaxis]
    return replace(
        page, pixels=(pixels * (1 - shape[..., np.newaxis]) + flesh * shape[..., np.newaxis]).astype(np.float32)
    )


def neighbour(page: Page, digit: Grey, rng: Generator) -> Page:
    """Write another digit beside this one, of which the border of the picture leaves a part."""
    tile = ink_of_digit(digit, page.box.side * rng.uniform(0.8, 1.15), page.pen, rng, rng.normal(0, 6))
    visible = rng.uniform(0.12, 0.45)
    gap = page.box.side * rng.uniform(0.12, 0.4)
    on_right = chance(rng, 0.5)
    shown = round(visible * tile.shape[1])
    if on_right:
        border = min(round(page.box.right + gap + shown), page.shape[1])
        page = page.cut(0, 0, border, page.shape[0])
        left = border - shown
    else:
        border = max(round(page.box.left - gap - shown), 0)
        page = page.cut(border, 0, page.shape[1], page.shape[0])
        left = shown - tile.shape[1]
    top = page.box.middle[1] - tile.shape[0] / 2 + rng.normal(0, 0.08) * page.box.side
    return page.over(placed(tile, page.shape, left, top), page.pen.colour)
