"""What lies round a page in a picture: a desk, a scanner's bed, a frame, a window, a figure's axes. Knows no pens."""

import math

import cv2
import numpy as np

from benchmarks.scenes.grounds import table
from benchmarks.scenes.lights import shape_of
from benchmarks.scenes.marks import WORDS, placed, printed
from benchmarks.scenes.textures import (
    BLACK,
    Colour,
    Generator,
    Pixels,
    Shape,
    chance,
    flat,
    jittered,
    lay,
    scale,
    smooth_noise,
    soften,
)

Corners = np.ndarray
"""float32 (4, 2): the top left, top right, bottom right and bottom left corner, column and row."""


def on_table(pixels: Pixels, shape: Shape, corners: Corners, rng: Generator) -> Pixels:
    """Lay a sheet on a table so that its corners come to `corners`, with its shadow."""
    rows, columns = pixels.shape[:2]
    source = np.float32([(0, 0), (columns, 0), (columns, rows), (0, rows)])
    matrix = cv2.getPerspectiveTransform(source, np.float32(corners))
    size = (shape[1], shape[0])
    sheet = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    whole = np.ones((rows, columns), np.float32)
    mask = cv2.warpPerspective(whole, matrix, size, flags=cv2.INTER_LINEAR)
    shift = np.float32([[1, 0, rng.uniform(-4, 6)], [0, 1, rng.uniform(0, 7)]])
    shadow = soften(cv2.warpAffine(mask, shift, size), rng.uniform(1.5, 7))
    below = scale(table(shape, rng), 1 - np.float32(rng.uniform(0.2, 0.65)) * shadow)
    share = mask[..., np.newaxis]
    return np.asarray(below * (1 - share) + sheet * share, np.float32)


def whole_sheet(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a sheet on a desk, with its four edges in the picture."""
    shape = shape_of(pixels)
    grown = (round(shape[0] * rng.uniform(1.12, 1.6)), round(shape[1] * rng.uniform(1.12, 1.6)))
    return on_table(pixels, grown, _corners(shape, grown, rng, rng.normal(0, 6), 0.04), rng)


def table_strip(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a sheet that leaves a strip of the table visible at one side of the picture, sometimes at two."""
    shape = shape_of(pixels)
    seen = np.zeros(4, bool)
    seen[rng.choice(4, 1 + chance(rng, 0.25), replace=False)] = True
    strips = np.where(seen, rng.uniform(0.06, 0.28, 4), 0) * np.array([shape[1], shape[0], shape[1], shape[0]])
    left, top, right, bottom = np.rint(strips).astype(int).tolist()
    grown = (shape[0] + top + bottom, shape[1] + left + right)
    # The sheet's other edges lie just outside the picture.
    over = np.where(seen, 0, 0.045 * min(shape))
    low = np.array([left - over[0], top - over[1]])
    high = np.array([grown[1] - right + over[2], grown[0] - bottom + over[3]])
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    return on_table(pixels, grown, corners + rng.normal(0, 0.012, (4, 2)) * min(shape), rng)


def sticky_note(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a note with a strip of glue at the top, whose lower edge lifts, on a desk."""
    shape = shape_of(pixels)
    rows = np.linspace(0, 1, shape[0], dtype=np.float32)
    curl = 1 - np.float32(rng.uniform(0.02, 0.14)) * np.clip((rows - rng.uniform(0.4, 0.8)) * 4, 0, 1)
    curl *= 1 - np.float32(rng.uniform(0, 0.06)) * (rows < rng.uniform(0.12, 0.25))
    note = pixels * curl[:, np.newaxis, np.newaxis]
    grown = (round(shape[0] * rng.uniform(1.25, 2)), round(shape[1] * rng.uniform(1.25, 2)))
    return on_table(note, grown, _corners(shape, grown, rng, rng.normal(0, 8), 0.03), rng)


def _corners(shape: Shape, outer: Shape, rng: Generator, tilt: float, skew: float) -> Corners:
    """Place a sheet of this shape in a larger picture, tilted and seen at an angle, with all corners inside."""
    rows, columns = shape
    half = np.array([(-columns, -rows), (columns, -rows), (columns, rows), (-columns, rows)]) / 2
    half = half + rng.normal(0, skew, (4, 2)) * min(shape)
    angle = math.radians(tilt)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = half @ turn
    size = np.ptp(corners, axis=0)
    corners *= min(1, *(0.95 * np.array([outer[1], outer[0]]) / size))
    low, high = corners.min(axis=0), corners.max(axis=0)
    free = np.array([outer[1], outer[0]]) - (high - low)
    return np.float32(corners - low + free * rng.uniform(0.15, 0.85, 2))


def scan_edge(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a dark band along one border of a scan: the lid that did not close, or the back of a book."""
    shape = shape_of(pixels)
    turns = int(rng.integers(4))
    turned = np.rot90(pixels, turns)
    size = turned.shape[1]
    edge = size * (rng.uniform(0.015, 0.13) + rng.uniform(-0.02, 0.02) * np.linspace(-1, 1, turned.shape[0]))
    distance = np.arange(size)[np.newaxis] - edge[:, np.newaxis]
    softness = rng.choice([0.8, 3, 0.04 * size])
    dark = (1 / (1 + np.exp(np.clip(distance / softness, -50, 50)))).astype(np.float32)
    result = lay(turned, dark * np.float32(rng.uniform(0.85, 1)), (rng.uniform(0, 60),) * 3)
    return np.ascontiguousarray(np.rot90(result, -turns)).reshape(*shape, 3)


def scan_corners(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a page that lay askew on a black scanner bed: black triangles in two to four corners."""
    shape = shape_of(pixels)
    level = rng.uniform(0, 45)
    angle = rng.uniform(2.5, 9) * (1 if chance(rng, 0.5) else -1)
    zoom = rng.uniform(0.94, 1.06)
    matrix = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), angle, zoom)
    return np.asarray(
        cv2.warpAffine(pixels, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderValue=(level, level, level)),
        np.float32,
    )


def dark_frame(pixels: Pixels, rng: Generator) -> Pixels:
    """Black bars round a picture: on all sides, or above and below, or left and right."""
    shape = shape_of(pixels)
    bars = rng.uniform(0.04, 0.16, 4) if chance(rng, 0.3) else np.full(4, rng.uniform(0.04, 0.16))
    bars = bars * [(1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 1, 1)][rng.integers(3)]
    top, bottom, left, right = (round(bar * max(shape)) for bar in bars)
    level = rng.uniform(0, 40)
    return np.asarray(
        cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(level, level, level))
    )


def window(pixels: Pixels, rng: Generator, *, tools: bool = False) -> Pixels:
    """Draw a program's window round a picture: a title bar with buttons, a toolbar, and the desktop on some."""
    rows, columns = shape_of(pixels)
    unit = max(round(rng.uniform(0.05, 0.09) * rows), 18)
    dark = chance(rng, 0.35)
    bar: Colour = jittered((52, 52, 56) if dark else (232, 232, 234), 12, rng)
    text: Colour = (225, 225, 225) if dark else (40, 40, 40)
    side = unit if tools and chance(rng, 0.6) else 0
    header = flat((unit * (1 + tools), columns + side), bar)
    header = _buttons(header, unit, text, rng)
    if tools:
        header = _icons(header, unit, unit, text, rng)
    body = pixels
    if side:
        body = np.hstack([_icons(flat((rows, side), bar), unit, 0, text, rng), pixels])
    whole = np.vstack([header, body])
    if chance(rng, 0.5):
        whole = np.vstack([whole, _status(unit * 3 // 4, whole.shape[1], bar, text, rng)])
    if chance(rng, 0.35):
        around = np.rint(rng.uniform(0.02, 0.12, 4) * rows).astype(int)
        desktop = jittered(((24, 60, 110), (45, 45, 50), (90, 130, 120))[rng.integers(3)], 20, rng)
        whole = cv2.copyMakeBorder(whole, *around.tolist(), cv2.BORDER_CONSTANT, value=desktop)
    return np.asarray(whole, np.float32)


def _buttons(header: Pixels, unit: int, text: Colour, rng: Generator) -> Pixels:
    shape = shape_of(header)
    title = printed(f"{rng.choice(WORDS)} - {rng.choice(['Paint', 'Viewer', 'Sketch', 'tk', 'Canvas'])}", unit * 0.45)
    left = chance(rng, 0.4)
    header = lay(header, placed(title, shape, unit * (3.2 if left else 0.5), unit * 0.28), text)
    for index, colour in enumerate(((236, 95, 86), (245, 190, 60), (98, 198, 84))):
        alpha = np.zeros(shape, np.float32)
        column = unit * (0.6 + 0.8 * index) if left else shape[1] - unit * (2.4 - 0.8 * index)
        radius = max(unit // 5, 3)
        centre = (round(column), unit // 2)
        if left:
            cv2.circle(alpha, centre, radius, 1, -1, cv2.LINE_AA)
        else:
            _glyph(alpha, centre, radius, index)
        header = lay(header, alpha, colour if left else text)
    return header


def _glyph(alpha: np.ndarray, centre: tuple[int, int], radius: int, index: int) -> None:
    """Draw the sign of a window's button: minimise, maximise or close."""
    x, y = centre
    if index == 0:
        cv2.line(alpha, (x - radius, y), (x + radius, y), 1, 1)
    elif index == 1:
        cv2.rectangle(alpha, (x - radius, y - radius), (x + radius, y + radius), 1, 1)
    else:
        cv2.line(alpha, (x - radius, y - radius), (x + radius, y + radius), 1, 1, cv2.LINE_AA)
        cv2.line(alpha, (x - radius, y + radius), (x + radius, y - radius), 1, 1, cv2.LINE_AA)


def _icons(bar: Pixels, unit: int, top: int, text: Colour, rng: Generator) -> Pixels:
    """Draw a row or a column of buttons, along the bar: palettes and tools."""
    shape = shape_of(bar)
    across = shape[1] > shape[0]
    length = shape[1] if across else shape[0] - top
    for index in range(min(int(length / unit) - 1, int(rng.integers(4, 10)))):
        alpha = np.zeros(shape, np.float32)
        left, up = (index * unit, top) if across else (0, top + index * unit)
        low, high = (left + unit // 5, up + unit // 5), (left + unit * 4 // 5, up + unit * 4 // 5)
        kind = rng.integers(4)
        if kind == 0:
            cv2.rectangle(alpha, low, high, 1, -1)
        elif kind == 1:
            cv2.rectangle(alpha, low, high, 1, 1)
        elif kind == 2:
            cv2.line(alpha, low, high, 1, 2, cv2.LINE_AA)
        else:
            cv2.circle(alpha, ((low[0] + high[0]) // 2, (low[1] + high[1]) // 2), max((high[0] - low[0]) // 2, 1), 1, 1)
        colour = (rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255)) if kind == 0 else text
        bar = lay(bar, alpha, colour)
    return bar


def _status(height: int, width: int, bar: Colour, text: Colour, rng: Generator) -> Pixels:
    words = printed(str(rng.choice(["Ready", "Clear", "Recognise", "px", "Predict"])), height * 0.55)
    return lay(flat((height, width), bar), placed(words, (height, width), height * 0.6, height * 0.2), text)


def figure(panel: Pixels, rng: Generator) -> Pixels:
    """Draw a plotted image on a white page, with axes, ticks and their numbers, as plotting libraries save it."""
    side = panel.shape[0]
    margin = round(side * rng.uniform(0.14, 0.4))
    across = margin if chance(rng, 0.4) else round(side * rng.uniform(0.3, 0.6))
    shape = (side + 2 * margin, side + 2 * across)
    page = flat(shape, (255, 255, 255))
    page[margin : margin + side, across : across + side] = panel
    lines, size = np.zeros(shape, np.float32), side * rng.uniform(0.03, 0.05)
    cv2.rectangle(lines, (across - 1, margin - 1), (across + side, margin + side), 1, 1)
    page = lay(page, lines, BLACK)
    if chance(rng, 0.2):  # with the axes off
        return page
    for number in range(0, 28, 5):
        place = (number + 0.5) * side / 28
        tile, ticks = printed(str(number), size), np.zeros(shape, np.float32)
        below, beside = round(across + place), round(margin + place)
        cv2.line(ticks, (below, margin + side), (below, margin + side + round(size / 3)), 1, 1)
        cv2.line(ticks, (across - round(size / 3), beside), (across, beside), 1, 1)
        ticks += placed(tile, shape, below - tile.shape[1] / 2, margin + side + size * 0.7)
        ticks += placed(tile, shape, across - size * 0.7 - tile.shape[1], beside - tile.shape[0] / 2)
        page = lay(page, np.clip(ticks, 0, 1), BLACK)
    if chance(rng, 0.4):
        title = printed(str(rng.choice(WORDS)), size * 1.25)
        page = lay(page, placed(title, shape, (shape[1] - title.shape[1]) / 2, margin - 2 * size), BLACK)
    return page


def screen(pixels: Pixels, rng: Generator) -> Pixels:
    """Photograph a screen: its stripes of red, green and blue beat with the camera's pixels (moire)."""
    shape = shape_of(pixels)
    columns, rows = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    angle = math.radians(rng.normal(0, 5))
    bend = 1.5 * smooth_noise(shape, 0.8 * min(shape), rng)
    ahead = columns * math.cos(angle) + rows * math.sin(angle) + bend
    aside = rows * math.cos(angle) - columns * math.sin(angle) + bend
    pitch = rng.choice([1, 2]) + rng.choice([-1, 1]) * rng.uniform(0.015, 0.12)
    depth = rng.uniform(0.08, 0.3)
    stripes = [np.cos(2 * math.pi * (ahead / pitch + third / 3)) for third in range(3)]
    lines = np.cos(2 * math.pi * aside / (pitch * rng.uniform(0.97, 1.03)))
    light = 1 + depth * np.stack(stripes, axis=-1) + (depth * rng.uniform(0.2, 1)) * lines[..., np.newaxis]
    glow = rng.uniform(8, 40) + rng.uniform(0, 12) * smooth_noise(shape, 0.5 * min(shape), rng)
    tint = np.float32([rng.uniform(0.85, 1), rng.uniform(0.92, 1), 1])
    return np.asarray((pixels * np.float32(0.85) + glow[..., np.newaxis]) * light * tint, np.float32)
