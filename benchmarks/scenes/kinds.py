"""The kinds of pictures: each draws one digit with one thing that pictures of daily life have beside it.

A kind is a function of a digit, uint8 (28, 28), white on black, and a random generator. It returns a picture, uint8
(height, width) or (height, width, 3), RGB. The same generator state gives the same picture.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes import drawings, grounds, lights, marks, pens, surroundings
from benchmarks.scenes.cameras import blurred_jpeg, low_light, phone, scanner, steady_phone, tilted
from benchmarks.scenes.grounds import Ground
from benchmarks.scenes.pages import Page, a_shape, write
from benchmarks.scenes.pens import Pen
from benchmarks.scenes.textures import BLACK, WHITE, Generator, Grey, Pixels, chance, flat, lay

Picture = NDArray[np.uint8]
Kind = Callable[[Grey, Generator], Picture]
Mark = Callable[[Page, Generator], Page]
Light = Callable[[Pixels, Generator], Pixels]
Camera = Callable[[Pixels, Generator], Picture]
PenMaker = Callable[[Generator], Pen]


def scene(
    ground: Ground = grounds.paper,
    *,
    pen: PenMaker = pens.any_pen,
    mark: Mark | None = None,
    light: Light | None = None,
    camera: Camera = phone,
) -> Kind:
    """Compose a kind: a ground, a pen, a mark on the page, light or surroundings, and a camera."""

    def draw(digit: Grey, rng: Generator) -> Picture:
        size = (0.25, 0.5) if mark else (0.28, 0.62)  # there has to be room for the mark
        page = write(digit, ground(a_shape(rng), rng), rng, pen=pen(rng), size=size)
        page = mark(page, rng) if mark else page
        return camera(light(page.pixels, rng) if light else page.pixels, rng)

    return draw


def any_camera(pixels: Pixels, rng: Generator) -> Picture:
    """Take a phone, a scanner, or the pixels as a program made them."""
    cameras: tuple[Camera, ...] = (phone, phone, scanner, as_drawn)
    return cameras[rng.integers(len(cameras))](pixels, rng)


def as_drawn(pixels: Pixels, _: Generator) -> Picture:
    """Return the pixels of a program."""
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def program_ground(shape: tuple[int, int], _: Generator) -> Pixels:
    """Return the white canvas of a program."""
    return flat(shape, WHITE)


def program_pen(rng: Generator) -> Pen:
    """Return the round black pen of a drawing program, in a colour now and then."""
    colour = BLACK if chance(rng, 0.7) else pens.bright(rng)
    return Pen(colour, rng.uniform(0.04, 0.13), pressure=0, own_stroke=chance(rng, 0.3))


def marked(mark: Mark) -> Kind:
    """Draw a mark on paper or on the canvas of a program: one in three pictures is drawn."""
    on_paper = scene(mark=mark, camera=any_camera)
    on_canvas = scene(program_ground, pen=program_pen, mark=mark, camera=as_drawn)

    def draw(digit: Grey, rng: Generator) -> Picture:
        return (on_canvas if chance(rng, 1 / 3) else on_paper)(digit, rng)

    return draw


def neighbour_at_border(digit: Grey, rng: Generator) -> Picture:
    """Draw a digit, and a part of another that the picture's border cuts."""
    ground = (grounds.paper, grounds.paper, program_ground)[rng.integers(3)]
    page = write(digit, ground(a_shape(rng), rng), rng, pen=pens.any_pen(rng), size=(0.35, 0.65))
    return any_camera(marks.neighbour(page, digit, rng).pixels, rng)


def sticky_note(digit: Grey, rng: Generator) -> Picture:
    """Write on a square note, and stick it to a desk."""
    side = round(rng.uniform(230, 420))
    note = grounds.tinted_paper((side, round(side * rng.uniform(0.95, 1.05))), rng)
    page = write(digit, note, rng, pen=pens.any_pen(rng), size=(0.4, 0.75))
    return phone(surroundings.sticky_note(page.pixels, rng), rng)


def white_on_panel(digit: Grey, rng: Generator) -> Pixels:
    """Return a square black panel with the digit in white, as image viewers and plots show MNIST."""
    side = round(rng.uniform(190, 400))
    if chance(rng, 0.6):
        method = cv2.INTER_NEAREST if chance(rng, 0.7) else cv2.INTER_LINEAR
        values = cv2.resize(digit, (side, side), interpolation=method).astype(np.float32) / 255
        return lay(flat((side, side), BLACK), values, WHITE)
    pen = replace(program_pen(rng), colour=WHITE)
    return write(digit, flat((side, side), BLACK), rng, pen=pen, size=(0.45, 0.75)).pixels


def figure_with_axes(digit: Grey, rng: Generator) -> Picture:
    """Save a plot of the digit, with axes and ticks."""
    return as_drawn(surroundings.figure(white_on_panel(digit, rng), rng), rng)


def drawing_window(digit: Grey, rng: Generator) -> Picture:
    """Take a screenshot of a drawing program whose canvas is black; a margin of the program's colour on some."""
    panel = white_on_panel(digit, rng)
    if chance(rng, 0.7):
        margins = np.rint(rng.uniform(0.05, 0.5, 4) * panel.shape[0]).astype(int)
        level = rng.uniform(225, 255)
        panel = np.asarray(cv2.copyMakeBorder(panel, *margins.tolist(), cv2.BORDER_CONSTANT, value=(level,) * 3))
    return as_drawn(surroundings.window(panel, rng, tools=True), rng)


def screenshot(digit: Grey, rng: Generator) -> Picture:
    """Take a screenshot of a program whose canvas is white."""
    page = write(digit, program_ground(a_shape(rng), rng), rng, pen=program_pen(rng), size=(0.3, 0.7))
    return as_drawn(surroundings.window(page.pixels, rng, tools=chance(rng, 0.5)), rng)


def screen_photo(digit: Grey, rng: Generator) -> Picture:
    """Photograph a screen that shows the digit, black on white or white on black."""
    page = write(digit, program_ground(a_shape(rng), rng), rng, pen=program_pen(rng))
    pixels = 255 - page.pixels if chance(rng, 0.35) else page.pixels
    return phone(surroundings.screen(pixels, rng), rng)


def chalkboard(digit: Grey, rng: Generator) -> Picture:
    """Write with chalk."""
    return phone(write(digit, grounds.blackboard(a_shape(rng), rng), rng, pen=pens.chalk(rng)).pixels, rng)


def with_pen(pen: PenMaker, colour: Callable[[Generator], tuple[float, float, float]]) -> PenMaker:
    """Return a pen in another colour."""
    return lambda rng: replace(pen(rng), colour=colour(rng))


def _writing_pen(rng: Generator) -> Pen:
    return (pens.ballpoint, pens.gel, pens.written)[rng.integers(3)](rng)


_BLUE, _BLACK = with_pen(_writing_pen, pens.blue), with_pen(_writing_pen, pens.black)

KINDS: dict[str, Kind] = {
    "ring round the digit": marked(marks.ring),
    "box of a form": marked(marks.box),
    "box at the border": marked(marks.edge_box),
    "row of three boxes": marked(marks.box_row),
    "sheet on a desk": scene(light=surroundings.whole_sheet),
    "strip of table": scene(light=surroundings.table_strip),
    "sticky note on a desk": sticky_note,
    "coffee ring": scene(mark=marks.coffee_ring),
    "coffee stain": scene(mark=marks.coffee_stain),
    "underline touching": marked(marks.underline_touching),
    "underline apart": marked(marks.underline_apart),
    "scan with a dark edge": scene(grounds.office_paper, light=surroundings.scan_edge, camera=scanner),
    "scan with black corners": scene(grounds.office_paper, light=surroundings.scan_corners, camera=scanner),
    "hard shadow": scene(light=lights.hard_shadow),
    "soft shadow": scene(light=lights.soft_shadow),
    "crumpled paper": scene(light=lights.crumpled),
    "folded paper": scene(light=lights.folded),
    "pencil": scene(pen=pens.pencil),
    "ruled paper, blue pen": scene(grounds.ruled_paper, pen=_BLUE),
    "ruled paper, black pen": scene(grounds.ruled_paper, pen=_BLACK),
    "squared paper": scene(grounds.squared_paper, pen=_writing_pen),
    "margin line": scene(grounds.margin_paper),
    "copybook": scene(grounds.copybook_paper, pen=_writing_pen),
    "whiteboard with glare": scene(grounds.whiteboard, pen=pens.marker, light=lights.glare),
    "whiteboard": scene(grounds.whiteboard, pen=pens.marker),
    "blackboard": chalkboard,
    "photo of a screen": screen_photo,
    "finger": scene(mark=marks.finger),
    "neighbour at the border": neighbour_at_border,
    "dark frame": scene(camera=lambda pixels, rng: _framed(phone(pixels, rng), rng)),
    "black corners": scene(light=lights.vignette),
    "figure with axes": figure_with_axes,
    "drawing window": drawing_window,
    "screenshot": screenshot,
    "punch holes": scene(grounds.office_paper, mark=marks.punch_holes, camera=any_camera),
    "staples": scene(mark=marks.staples),
    "caption": marked(marks.caption),
    "heading": scene(mark=marks.heading, camera=any_camera),
    "tight crop 8x8": partial(drawings.tight_crop, side=8),
    "tight crop 16x16": partial(drawings.tight_crop, side=16),
    "tight crop 20x20": partial(drawings.tight_crop, side=20),
    "almost MNIST": drawings.almost_mnist,
    "thin pen, no antialiasing": drawings.thin_pen,
    "thick felt pen": scene(pen=pens.thick_felt, camera=any_camera),
    "blurred JPEG": scene(camera=blurred_jpeg),
    "at an angle": scene(camera=tilted),
    "low light": scene(camera=low_light),
    "tinted paper": scene(grounds.tinted_paper),
    "clean, black on white": drawings.clean_dark_on_light,
    "clean, white on black": drawings.clean_light_on_dark,
    "small on a large canvas": drawings.small_on_large,
    "plain photo": scene(camera=steady_phone),
}


def _framed(picture: Picture, rng: Generator) -> Picture:
    return as_drawn(surroundings.dark_frame(picture.astype(np.float32), rng), rng)
