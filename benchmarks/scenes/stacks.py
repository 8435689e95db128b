"""Two or three things in one picture: a ringed digit on a note on a desk, under a shadow."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from benchmarks.scenes import grounds, lights, marks, pens, surroundings
from benchmarks.scenes.cameras import blurred_jpeg, low_light, phone, tilted
from benchmarks.scenes.grounds import Ground
from benchmarks.scenes.kinds import Camera, Kind, Light, Mark, Picture
from benchmarks.scenes.pages import a_shape, write
from benchmarks.scenes.textures import Generator, Grey, chance

Choice = TypeVar("Choice")

GROUNDS: tuple[Ground, ...] = (
    grounds.paper,
    grounds.paper,
    grounds.tinted_paper,
    grounds.ruled_paper,
    grounds.squared_paper,
    grounds.margin_paper,
)
MARKS: tuple[Mark, ...] = (
    marks.ring,
    marks.box,
    marks.box_row,
    marks.underline_touching,
    marks.underline_apart,
    marks.coffee_ring,
    marks.coffee_stain,
    marks.punch_holes,
    marks.staples,
    marks.caption,
    marks.heading,
)
PLACES: tuple[Light, ...] = (surroundings.whole_sheet, surroundings.table_strip, surroundings.sticky_note)
LIGHTS: tuple[Light, ...] = (lights.hard_shadow, lights.soft_shadow, lights.vignette)
RELIEFS: tuple[Light, ...] = (lights.crumpled, lights.folded)
CAMERAS: tuple[Camera, ...] = (phone, phone, phone, tilted, low_light, blurred_jpeg)


def stacked(digit: Grey, rng: Generator) -> Picture:
    """Draw a digit with two or three of: a mark, a relief of the paper, a place where it lies, a light."""
    parts = set(
        rng.choice(["mark", "relief", "place", "light"], rng.integers(2, 4), replace=False, p=[0.35, 0.1, 0.3, 0.25])
    )
    page = write(digit, _one(GROUNDS, rng)(a_shape(rng), rng), rng, pen=pens.any_pen(rng), size=(0.28, 0.5))
    if "mark" in parts:
        page = _one(MARKS, rng)(page, rng)
    pixels = page.pixels
    for part, choices in (("relief", RELIEFS), ("place", PLACES), ("light", LIGHTS)):
        if part in parts:
            pixels = np.clip(_one(choices, rng)(pixels, rng), 0, 255)
    camera = _one(CAMERAS, rng) if chance(rng, 0.5) else phone
    return camera(pixels, rng)


STACKS: dict[str, Kind] = {"two or three things": stacked}


def _one(choices: Sequence[Choice], rng: Generator) -> Choice:
    return choices[rng.integers(len(choices))]
