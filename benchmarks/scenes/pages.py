"""A page with one digit written on it, and where the digit is, so that furniture can be placed round it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from benchmarks.scenes.pens import Pen, ink_of_digit
from benchmarks.scenes.textures import Field, Generator, Grey, Pixels, Shape, chance, lay


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below."""
        return self.top + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """Column and row."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.width, self.height)


@dataclass(frozen=True)
class Page:
    """Pixels with a digit."""

    pixels: Pixels
    ink: Field
    """The digit's ink, 0 to 1, of the same height and width as `pixels`."""
    box: Box
    """The box of the digit's ink."""
    pen: Pen

    @property
    def shape(self) -> Shape:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def over(self, alpha: Field, colour: tuple[float, float, float]) -> "Page":
        """Return the page with a colour laid on it where `alpha` is 1."""
        return replace(self, pixels=lay(self.pixels, alpha, colour))

    def cut(self, left: int, top: int, right: int, bottom: int) -> "Page":
        """Return a part of the page, which has to contain the digit."""
        box = Box(self.box.left - left, self.box.top - top, self.box.width, self.box.height)
        part = np.s_[top:bottom, left:right]
        return Page(np.ascontiguousarray(self.pixels[part]), np.ascontiguousarray(self.ink[part]), box, self.pen)


def a_shape(rng: Generator, low: int = 320, high: int = 760) -> Shape:
    """Return the height and width of a picture, as phones, scanners and people who crop make them."""
    side = rng.uniform(low, high)
    ratio = float(rng.choice([1, 1, 4 / 3, 3 / 4, 16 / 9, 0.7])) * rng.uniform(0.92, 1.08)
    return round(side / ratio**0.5), round(side * ratio**0.5)


def write(
    digit: Grey,
    ground: Pixels,
    rng: Generator,
    *,
    pen: Pen,
    size: tuple[float, float] = (0.28, 0.62),
) -> Page:
    """Write a digit on a ground, roughly in the middle.

    Args:
        digit: uint8 (28, 28), white on black.
        ground: the pixels to write on.
        rng: the source of all that is random.
        pen: the pen.
        size: the smallest and the largest size of the digit, as shares of the page's shorter side.

    """
    shape = (ground.shape[0], ground.shape[1])
    height = rng.uniform(*size) * min(shape)
    tilt = rng.normal(0, 4) if chance(rng, 0.7) else 0
    tile = ink_of_digit(digit, height, pen, rng, tilt)[: shape[0] - 4, : shape[1] - 4]
    free = (shape[0] - tile.shape[0], shape[1] - tile.shape[1])
    top, left = (round(np.clip(rng.normal(0.5, 0.13), 0.2, 0.8) * room) for room in free)
    ink = np.zeros(shape, np.float32)
    ink[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return Page(lay(ground, ink, pen.colour), ink, Box(left, top, tile.shape[1], tile.shape[0]), pen)
