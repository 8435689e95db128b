"""A stand-in for the finding of digits, and pages of digits for it: every dark blob of ink is a digit."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.prediction.digit_finder import Finds, FoundDigit
from app.prediction.finder_maps import RunFinder
from imaging import normalise
from imaging.components import find_components

CELL = 60
"""The side of the square in which `draw_page` draws a digit, in pixels."""


def replace_search(patch: pytest.MonkeyPatch, find_digits: Callable[..., Sequence[FoundDigit]]) -> None:
    """Have the service find what `find_digits` returns, which is one way to divide the ink, and no other ways."""

    def find(*arguments: object, **options: object) -> Finds:
        return Finds(find_digits(*arguments, **options), [])

    patch.setattr("app.prediction.digit_search.find_digits", find)
    patch.setattr("app.prediction.digit_search.divide_otherwise", lambda *_arguments, **_options: [])


def find_dark_blobs(scene_pixels: NDArray[np.uint8], run: RunFinder, *, thorough: bool) -> list[FoundDigit]:
    """Take each dark component for a digit, in no order. The engine is called, and its answer is not used."""
    assert run(np.zeros((1, 192, 192, 3), np.uint8)).ink.shape == (1, 96, 96)
    components = find_components((scene_pixels.mean(axis=2) < 128).astype(np.uint8))
    boxes = components.boxes[1:]
    order = np.random.default_rng(0).permutation(len(boxes))
    return [_cut_out(scene_pixels, boxes[index].tolist(), index) for index in order.tolist()]


def _cut_out(pixels: NDArray[np.uint8], box: Sequence[int], cluster: int) -> FoundDigit:
    left, top, right, bottom = box
    margin = (bottom - top) // 3
    cut = np.pad(pixels[top:bottom, left:right], [(margin, margin), (margin, margin), (0, 0)], constant_values=255)
    image = normalise(cut).image
    return FoundDigit(image, (left, top, right - left, bottom - top), 0.9, cluster, 0, 0.0)


def draw_page(rows: Sequence[str], *, scale: int = 1) -> Image.Image:
    """Draw rows of the digits 0, 1 and 7, one in each cell, and nothing for a space."""
    page = Image.new("RGB", (CELL * max(map(len, rows)), CELL * len(rows)), "white")
    for row, digits in enumerate(rows):
        for column, digit in enumerate(digits):
            _draw(ImageDraw.Draw(page), digit, column * CELL, row * CELL)
    return page.resize((page.width * scale, page.height * scale))


def _draw(draw: ImageDraw.ImageDraw, digit: str, x: int, y: int) -> None:
    if digit == "7":
        draw.line([(x + 16, y + 10), (x + 42, y + 10), (x + 24, y + 50)], fill=0, width=5, joint="curve")
    elif digit == "1":
        draw.line([(x + 30, y + 10), (x + 30, y + 50)], fill=0, width=5)
    elif digit == "0":
        draw.ellipse([x + 16, y + 10, x + 44, y + 50], outline=0, width=5)


def page_file(rows: Sequence[str], *, scale: int = 1, type_: str = "PNG", **options: object) -> bytes:
    """Return a picture file of `draw_page`."""
    file = io.BytesIO()
    draw_page(rows, scale=scale).save(file, type_, **options)
    return file.getvalue()
