"""Composes the pages: which digits, where, on which ground, with which marks and camera. Knows no network."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from imaging import fit_to_square
from training.data.examples import Examples
from training.data.pages import camera, grounds, marks
from training.data.pages.canvas import Box, Canvas, Colour, Coverage
from training.data.pages.pens import draw_field, draw_strokes, opacity, random_pen, trace_centreline, trace_outline
from training.data.synthetic_glyphs import DIGITS, parse_glyph

PAGE_SIDE = 192
"""The side of a page, in pixels."""
MAP_SIDE = 96
"""The side of its maps, in cells."""
_CELL = PAGE_SIDE // MAP_SIDE
"""The side of a cell, in pixels."""
_MAX_TIGHT_INK = 0.7
"""The largest share of ink in a tight crop."""
_SMALLEST = 12.0
"""The least height of a digit in a number or on a sheet, in pixels."""
_CUT_OFF = 0.45
"""The share of numbers and sheets that continue beyond the border, as on a tile of a large page."""
_SYNTHETIC = 0.12
"""The share of digits that are drawn from the strokes of `synthetic_glyphs` instead of MNIST's images."""


class Page(NamedTuple):
    """A page, and what the finder has to find on it."""

    picture: npt.NDArray[np.uint8]
    """(192, 192, 3), RGB."""
    ink: npt.NDArray[np.uint8]
    """(96, 96): 0 to 255, how much of a pixel is ink of a whole digit, in the pixel with the most ink of each cell.
    0 where two digits touch, so that their ink is not connected."""
    cores: npt.NDArray[np.uint8]
    """(96, 96): 255 in the core of each whole digit, else 0."""
    digits: int
    """The number of whole digits."""


class Pages(NamedTuple):
    """n pages: the fields of `Page`, stacked."""

    pictures: npt.NDArray[np.uint8]
    """(n, 192, 192, 3)."""
    ink: npt.NDArray[np.uint8]
    """(n, 96, 96)."""
    cores: npt.NDArray[np.uint8]
    """(n, 96, 96)."""
    digits: npt.NDArray[np.int32]
    """(n,)."""


def draw_pages(digits: Examples, seed: int, start: int, count: int) -> Pages:
    """Draw the pages `start` to `start + count`. Each is determined by the digits, the seed and its own number."""
    pages = [draw_page(digits, np.random.default_rng([seed, index])) for index in range(start, start + count)]
    return Pages(
        np.stack([page.picture for page in pages]),
        np.stack([page.ink for page in pages]),
        np.stack([page.cores for page in pages]),
        np.array([page.digits for page in pages], np.int32),
    )


def draw_page(digits: Examples, rng: np.random.Generator) -> Page:
    """Draw one page with some of `digits` on it, or none."""
    canvas = _random_canvas(rng)
    layouts: tuple[tuple[float, Callable[[_Writer, Box], None]], ...] = (
        (0.43, _write_one),
        (0.24, _write_number),
        (0.10, _write_sheet),
        (0.11, _write_close_up),
        (0.12, _write_no_digit),
    )
    layout = layouts[rng.choice(len(layouts), p=[share for share, _ in layouts])][1]
    if layout in {_write_number, _write_sheet}:
        ground = grounds.draw_ground if rng.random() < 0.6 else grounds.draw_plain_or_paper
        writing = ground(canvas, rng)
        if rng.random() < _CUT_OFF:
            writing = _extend(writing, rng)
    else:
        writing = grounds.draw_ground(canvas, rng)
    layout(_Writer(canvas, digits, rng), writing)
    return _finish(canvas, rng)


def _extend(area: Box, rng: np.random.Generator) -> Box:
    """Return an area that goes beyond the canvas: the page is then a tile of a larger one."""
    width, height = rng.uniform(1, 3, 2) * [area.width, area.height]
    left = area.left - rng.uniform(0, width - area.width)
    top = area.top - rng.uniform(0, height - area.height)
    return Box(left, top, width, height)


def _random_canvas(rng: np.random.Generator) -> Canvas:
    short = PAGE_SIDE if rng.random() < 0.5 else int(rng.uniform(0.3, 1) * PAGE_SIDE)
    return Canvas(PAGE_SIDE, short) if rng.random() < 0.5 else Canvas(short, PAGE_SIDE)


def _finish(canvas: Canvas, rng: np.random.Generator) -> Page:
    """Apply light and camera, and pad to a square."""
    if rng.random() < 0.12:
        grounds.draw_surroundings(canvas, rng)
    if rng.random() < 0.25:
        camera.cast_shadow(canvas, rng)
    if rng.random() < 0.06:
        grounds.draw_glare(canvas, rng)
    if rng.random() < 0.35:
        camera.tilt(canvas, rng)
    picture = fit_to_square(camera.photograph(canvas.pixels, rng), PAGE_SIDE).pixels
    # The darkest pixel of a cell counts: the mean would be faint wherever a stroke is thinner than a cell.
    ink, contact = (
        _pad(layer).reshape(MAP_SIDE, _CELL, MAP_SIDE, _CELL).max(axis=(1, 3)) for layer in (canvas.ink, canvas.contact)
    )
    ink[contact > 0.5] = 0
    cores = cv2.resize(_pad(canvas.cores), (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
    return Page(
        picture,
        np.asarray(255 * np.clip(ink, 0, 1), np.uint8),
        np.asarray(255 * (cores >= 0.5), np.uint8),
        canvas.digits,
    )


def _pad(layer: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale a map of the canvas and pad it to a square, as `fit_to_square` does with the picture."""
    scale = PAGE_SIDE / max(layer.shape)
    height, width = (max(round(length * scale), 1) for length in layer.shape)
    if scale != 1:
        layer = np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    top, left = (PAGE_SIDE - height) // 2, (PAGE_SIDE - width) // 2
    return np.pad(layer, ((top, PAGE_SIDE - height - top), (left, PAGE_SIDE - width - left)))


class _Writer:
    """Writes digits on a canvas with one pen."""

    def __init__(self, canvas: Canvas, digits: Examples, rng: np.random.Generator) -> None:
        self.canvas, self.digits, self.rng = canvas, digits, rng
        self.pen = random_pen(rng)

    def draw_digit(self, height: float, angle: float) -> Coverage:
        """Draw a random digit about `height` pixels high."""
        if self.rng.random() < _SYNTHETIC:
            forms = DIGITS[int(self.rng.integers(10))]
            strokes = parse_glyph(forms[self.rng.integers(len(forms))])
            width = max(self.pen.width or self.rng.uniform(0.06, 0.14), 0.02) * height
            return draw_strokes(strokes, height, max(width, 0.9), self.rng, angle=angle)
        trace = trace_outline if self.pen.width is None else trace_centreline
        field = trace(self.digits.images[self.rng.integers(len(self.digits))])
        return draw_field(field, height, self.pen, self.rng, angle=angle)

    def ink_colour(self, box: Box) -> Colour:
        """Return a colour that can be read where `box` is."""
        rng, ground = self.rng, self.canvas.mean_luminance(box)
        is_dark = ground > (100 if rng.random() < 0.9 else 150)
        level = rng.uniform(0, ground * 0.6) if is_dark else rng.uniform(min(ground + 90, 240), 255)
        colour = np.full(3, level, np.float32)
        kind = rng.random()
        if kind < 0.25:  # a blue pen
            colour = np.array([0.35, 0.45, 1.0], np.float32) * max(level, 60.0) * rng.uniform(0.8, 1.6)
        elif kind < 0.4:
            colour = np.asarray(colour + rng.uniform(-80, 80, 3), np.float32)
        elif kind < 0.5 and is_dark:  # pencil
            colour = np.full(3, ground - rng.uniform(40, 110), np.float32)
        return np.clip(colour, 0, 255)

    def write(self, coverage: Coverage, colour: Colour, left: float, top: float) -> bool:
        """Write a digit. Return False if it is cut off at the border, and so no whole digit."""
        x, y = round(left), round(top)
        strength = self.rng.uniform(0.8, 1) * opacity(self.pen, coverage.shape[0])
        self.canvas.paint(coverage * strength, colour, x, y)
        return self.canvas.add_digit(coverage, x, y)


def _write_one(writer: _Writer, area: Box) -> None:
    """Write one digit, with up to three kinds of marks."""
    rng, canvas = writer.rng, writer.canvas
    tight = rng.random() < 0.14
    largest = min(area.width * 1.25, area.height) * 0.92
    height = largest * (1 if tight else np.exp(rng.uniform(np.log(min(28 / largest, 1)), 0)))
    coverage = writer.draw_digit(height, rng.normal(0, 0.12))
    height, width = coverage.shape
    if tight:
        left, top = _crop_tightly(canvas, coverage, rng)
        area = grounds.whole(canvas)
    else:
        left = area.left + rng.uniform(0, max(area.width - width, 0))
        top = area.top + rng.uniform(0, max(area.height - height, 0))
    box = Box(left, top, width, height)
    colour = writer.ink_colour(box)
    if not tight:
        _add_marks(canvas, box, rng, colour, before=True)
    writer.write(coverage, colour, left, top)
    if not tight:
        _add_marks(canvas, box, rng, colour, before=False)
        if rng.random() < 0.1:
            _write_neighbour(writer, box, colour)
    if rng.random() < (0.5 if tight else 0.08) and height > 40:
        camera.lower_resolution(canvas, rng.uniform(1.5, height / (10 if tight else 16)), rng)


def _crop_tightly(canvas: Canvas, coverage: Coverage, rng: np.random.Generator) -> tuple[float, float]:
    """Cut the canvas to the digit with a narrow margin or none; return the place of the digit."""
    margins = np.round(rng.uniform(0, 0.08, 4) * max(coverage.shape) * (rng.random(4) < 0.6)).astype(int)
    if coverage.mean() > _MAX_TIGHT_INK:  # nothing but ink shows no digit
        margins[[0, 2]] += coverage.shape[0] // 6
    height = min(coverage.shape[0] + margins[1] + margins[3], PAGE_SIDE)
    width = min(coverage.shape[1] + margins[0] + margins[2], PAGE_SIDE)
    pixels = cv2.resize(canvas.pixels, (int(width), int(height)))
    canvas.__init__(int(height), int(width))  # type: ignore[misc]
    canvas.pixels = np.asarray(pixels, np.float32)
    return float(margins[0]), float(margins[1])


def _add_marks(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour, *, before: bool) -> None:
    """Add marks that lie below the ink (`before`), or those that are drawn later."""
    other = colour if rng.random() < 0.6 else np.asarray(rng.uniform(0, 255, 3), np.float32)
    if before:
        below: Sequence[tuple[float, Callable[[], None]]] = (
            (0.17, lambda: marks.rule_paper(canvas, box, rng)),
            (0.16, lambda: marks.draw_boxes(canvas, box, rng)),
            (0.13, lambda: marks.draw_stain(canvas, box, rng)),
        )
        for share, draw in below:
            if rng.random() < share:
                draw()
        return
    above: Sequence[tuple[float, Callable[[], None]]] = (
        (0.15, lambda: marks.draw_ring(canvas, box, rng, other)),
        (0.15, lambda: marks.draw_underline(canvas, box, rng, other)),
        (0.1, lambda: marks.draw_stain(canvas, box, rng)),
        (0.07, lambda: marks.draw_finger(canvas, box, rng)),
        (0.07, lambda: marks.draw_holes(canvas, rng)),
        (0.08, lambda: marks.write_caption(canvas, box, rng, other)),
        (0.05, lambda: marks.draw_lines(canvas, rng, other)),
        (0.06, lambda: _write_beside(canvas, box, rng, other)),
    )
    for share, draw in above:
        if rng.random() < share:
            draw()


def _write_beside(canvas: Canvas, box: Box, rng: np.random.Generator, colour: Colour) -> None:
    """Write letters or a scribble in a free place beside `box`."""
    height = box.height * rng.uniform(0.4, 1.1)
    width = box.width * rng.uniform(0.8, 1.2)
    side = rng.integers(4)
    left = (box.left - width * 1.5, box.left + box.width * 1.4, box.left, box.left)[side]
    top = (box.top, box.top, box.top - height * 1.4, box.top + box.height * 1.3)[side]
    draw = marks.write_letters if rng.random() < 0.8 else marks.scribble
    draw(canvas, Box(left, top, width, height), rng, colour)


def _write_neighbour(writer: _Writer, box: Box, colour: Colour) -> None:
    """Write a second digit that the border cuts off."""
    rng, canvas = writer.rng, writer.canvas
    other = writer.draw_digit(box.height * rng.uniform(0.8, 1.2), rng.normal(0, 0.1))
    height, width = other.shape
    hidden = rng.uniform(0.25, 0.8)
    side = rng.integers(4)
    left = (-hidden * width, canvas.width - (1 - hidden) * width, box.left, box.left)[side]
    top = (box.top, box.top, -hidden * height, canvas.height - (1 - hidden) * height)[side]
    away = max(
        abs(left + width / 2 - box.left - box.width / 2) / max(width + box.width, 1),
        abs(top + height / 2 - box.top - box.height / 2) / max(height + box.height, 1),
    )
    if away > 0.52:
        writer.write(other, colour, left, top)


def _write_number(writer: _Writer, area: Box) -> None:
    """Write one or several lines of digits, sometimes with signs or letters between them."""
    rng, canvas = writer.rng, writer.canvas
    lines = 1 if rng.random() < 0.7 else int(rng.integers(2, 4))
    count = int(rng.integers(2, 10))
    height = min(area.height / lines * rng.uniform(0.35, 0.85), area.width / (count * rng.uniform(0.6, 1.2)))
    height = max(min(height, 0.9 * canvas.height), _SMALLEST)
    tilt = rng.normal(0, 0.08)
    spacing = rng.uniform(-0.2, 0.1) if rng.random() < 0.45 else rng.uniform(0.1, 0.8)
    top = area.top + rng.uniform(0.02, 0.2) * area.height
    first = Box(area.left, top, min(area.width, height * count * 0.8), height)
    colour = writer.ink_colour(first)
    if rng.random() < 0.5:
        _add_marks(canvas, Box(first.left, top, height * 0.7, height), rng, colour, before=True)
    with_signs = rng.random() < 0.4
    for _ in range(lines):
        _write_line(
            writer,
            (area.left + rng.uniform(0, 0.12) * area.width, top),
            count,
            height,
            spacing,
            tilt,
            colour,
            with_signs,
        )
        top += height * rng.uniform(1.15, 1.8)
    after = Box(area.left + rng.uniform(0, 0.5) * area.width, top - height, height, height)
    for draw in (marks.draw_underline, marks.write_caption, marks.write_letters):
        if rng.random() < 0.08:
            draw(canvas, after._replace(top=top + 0.1 * height), rng, colour)
    if rng.random() < 0.1:
        marks.draw_holes(canvas, rng)


def _write_line(  # noqa: PLR0913, PLR0917 (the layout of a line)
    writer: _Writer,
    start: tuple[float, float],
    count: int,
    height: float,
    spacing: float,
    tilt: float,
    colour: Colour,
    with_signs: bool,  # noqa: FBT001
) -> None:
    rng = writer.rng
    x, y = start
    for index in range(count):
        size = height * rng.uniform(0.8, 1.15)
        if with_signs and index and rng.random() < 0.4:
            sign = _draw_other(writer, size)
            writer.canvas.paint(sign, colour, round(x), round(y + (height - sign.shape[0]) / 2))
            x += sign.shape[1] + height * max(spacing, 0.12)
        if x > writer.canvas.width:
            return
        coverage = writer.draw_digit(size, rng.normal(0, 0.08) + tilt)
        drop = rng.normal(0, 0.06) * height
        writer.write(coverage, colour, x, y + (height - coverage.shape[0]) / 2 + drop)
        step = coverage.shape[1] + spacing * height * rng.uniform(0.6, 1.4)
        x, y = x + step, y + step * np.tan(tilt)


def _draw_other(writer: _Writer, height: float) -> Coverage:
    """Draw a sign, letter or symbol beside digits of this height, with about the same pen."""
    rng = writer.rng
    pen = max((writer.pen.width or rng.uniform(0.05, 0.13)) * height, 0.9)
    if rng.random() < 0.75:
        return marks.draw_sign(height, pen, rng)
    return marks.draw_symbol(height * rng.uniform(0.5, 1), pen, rng)


def _write_sheet(writer: _Writer, area: Box) -> None:
    """Write a sheet, a table or scattered digits: many small ones."""
    rng, canvas = writer.rng, writer.canvas
    height = np.exp(rng.uniform(np.log(_SMALLEST), np.log(60)))
    columns = max(int(area.width / (height * rng.uniform(1.0, 2.2))), 1)
    rows = max(int(area.height / (height * rng.uniform(1.15, 2))), 1)
    pitch_x, pitch_y = area.width / columns, area.height / rows
    colour = writer.ink_colour(area)
    choice = rng.random()
    cell = Box(area.left + pitch_x * 0.1, area.top + pitch_y * 0.1, pitch_x * 0.8, pitch_y * 0.8)
    if choice < 0.3:
        layer_box = Box(area.left, area.top, pitch_x, pitch_y)
        _draw_table(canvas, layer_box, (columns, rows), rng)
    elif choice < 0.55:
        marks.rule_paper(canvas, cell, rng)
    filled = rng.uniform(0.35, 1)
    jitter = rng.uniform(0, 0.2)
    tilt = rng.normal(0, 0.05)
    for row in range(rows):
        for column in range(columns):
            x = area.left + (column + 0.5 + rng.normal(0, jitter) * 0.5) * pitch_x
            y = area.top + (row + 0.5 + rng.normal(0, jitter) * 0.5) * pitch_y + tilt * (x - canvas.width / 2)
            if rng.random() > filled or not (
                -height < x < canvas.width + height and -height < y < canvas.height + height
            ):
                continue
            if rng.random() < 0.06:
                glyph = _draw_other(writer, height)
                canvas.paint(glyph, colour, round(x - glyph.shape[1] / 2), round(y - glyph.shape[0] / 2))
                continue
            coverage = writer.draw_digit(height * rng.uniform(0.85, 1.15), rng.normal(0, 0.08) + tilt)
            writer.write(coverage, colour, x - coverage.shape[1] / 2, y - coverage.shape[0] / 2)


def _draw_table(canvas: Canvas, cell: Box, cells: tuple[int, int], rng: np.random.Generator) -> None:
    thickness = int(rng.integers(1, 3))
    layer = np.zeros((canvas.height, canvas.width), np.uint8)
    right, bottom = cell.left + cells[0] * cell.width, cell.top + cells[1] * cell.height
    slope = rng.normal(0, 0.01)
    for column in range(cells[0] + 1):
        x = cell.left + column * cell.width
        cv2.line(
            layer, (round(x), round(cell.top)), (round(x + slope * bottom), round(bottom)), 255, thickness, cv2.LINE_AA
        )
    for row in range(cells[1] + 1):
        y = cell.top + row * cell.height
        cv2.line(
            layer, (round(cell.left), round(y)), (round(right), round(y + slope * right)), 255, thickness, cv2.LINE_AA
        )
    dark = canvas.pixels.mean() > 110
    colour = np.full(3, rng.uniform(0, 120) if dark else rng.uniform(140, 255), np.float32)
    canvas.paint(layer.astype(np.float32) * (rng.uniform(0.4, 1) / 255), colour)


def _write_close_up(writer: _Writer, area: Box) -> None:  # noqa: ARG001 (as the other layouts)
    """Write a part of a number or of a sheet from near: one digit in the middle, its neighbours whole or cut off."""
    rng, canvas = writer.rng, writer.canvas
    height = rng.uniform(0.3, 0.75) * min(canvas.height, canvas.width * 1.2)
    angle = rng.normal(0, 0.08)
    spacing = rng.uniform(-0.1, 0.5) * height
    middle = writer.draw_digit(height, angle)
    left, top = (
        (canvas.width - middle.shape[1]) / 2 + rng.normal(0, 6),
        (canvas.height - middle.shape[0]) / 2 + rng.normal(0, 6),
    )
    box = Box(left, top, middle.shape[1], middle.shape[0])
    colour = writer.ink_colour(box)
    choice = rng.random()
    if choice < 0.35:
        marks.draw_boxes(canvas, box, rng)
    elif choice < 0.55:
        marks.rule_paper(canvas, box, rng)
    writer.write(middle, colour, left, top)
    for direction in (-1, 1):
        if rng.random() < 0.85:
            other = writer.draw_digit(height * rng.uniform(0.85, 1.15), angle + rng.normal(0, 0.06))
            if rng.random() < 0.2:
                other = _draw_other(writer, height)
                x = left - other.shape[1] - spacing if direction < 0 else left + box.width + spacing
                canvas.paint(other, colour, round(x), round(top + (box.height - other.shape[0]) / 2))
                continue
            x = left - other.shape[1] - spacing if direction < 0 else left + box.width + spacing
            writer.write(other, colour, x, top + rng.normal(0, 0.06) * height)
    for direction in (-1, 1):
        if rng.random() < 0.35:
            other = writer.draw_digit(height * rng.uniform(0.85, 1.15), angle)
            y = (
                top - other.shape[0] - rng.uniform(0.05, 0.5) * height
                if direction < 0
                else top + box.height + rng.uniform(0.05, 0.5) * height
            )
            writer.write(other, colour, left + rng.normal(0, 0.3) * height, y)
    if rng.random() < 0.12:
        marks.draw_ring(canvas, box, rng, colour)
    if rng.random() < 0.12:
        marks.draw_underline(canvas, box, rng, colour)


def _write_no_digit(writer: _Writer, area: Box) -> None:
    """Write anything but digits: letters, scribbles, empty boxes, a digit cut off; or nothing."""
    rng, canvas = writer.rng, writer.canvas
    height = rng.uniform(0.15, 0.85) * area.height
    box = Box(
        area.left + rng.uniform(0, 0.5) * area.width,
        area.top + rng.uniform(0, max(area.height - height, 1)),
        height * 0.7,
        height,
    )
    colour = writer.ink_colour(box)
    kinds: tuple[Callable[[], None], ...] = (
        lambda: marks.write_letters(canvas, box, rng, colour),
        lambda: marks.write_letters(canvas, box, rng, colour),
        lambda: marks.write_letters(canvas, box, rng, colour),
        lambda: marks.scribble(canvas, box, rng, colour),
        lambda: marks.write_caption(canvas, box, rng, colour),
        lambda: None,
    )
    _add_marks(canvas, box, rng, colour, before=True)
    kinds[rng.integers(len(kinds))]()
    if rng.random() < 0.6:
        _add_marks(canvas, box, rng, colour, before=False)


__all__ = ["MAP_SIDE", "PAGE_SIDE", "Page", "Pages", "draw_page", "draw_pages"]
