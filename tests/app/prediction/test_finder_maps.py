"""The maps of a finder for which dark pixels are ink, on pictures with one dark square."""

import numpy as np
import pytest

from app.inference.finder_engine import FinderMaps, Pictures
from app.prediction.finder_maps import Pixels, map_tiles, map_whole, map_window
from imaging import DigitMaps
from tests.app.tiny_finder import Darkness


class CountingFinder:
    """The finder without weights, which counts the pictures that it was given."""

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, pictures: Pictures) -> FinderMaps:
        self.pictures += len(pictures)
        return Darkness()(pictures)


def draw_square(height: int, width: int, left: int, top: int, side: int) -> Pixels:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[top : top + side, left : left + side] = 0
    return pixels


def assert_shows_square(maps: DigitMaps, left: int, top: int, side: int) -> None:
    rows, columns = np.nonzero(maps.ink > 0.5)
    box = maps.to_picture(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert box == pytest.approx((left, top, side, side), abs=1.01 / maps.scale)
    cells = np.mgrid[: maps.ink.shape[0], : maps.ink.shape[1]] + 0.5
    y, x = (cells * maps.ink).sum(axis=(1, 2)) / maps.ink.sum()
    centre = maps.to_picture(x, y, 0, 0)[:2]
    assert centre == pytest.approx((left + side / 2, top + side / 2), abs=0.3 / maps.scale)
    np.testing.assert_allclose(maps.cores, maps.ink**2, atol=0.05)


@pytest.mark.parametrize("size", [(192, 192), (300, 500), (500, 300), (50, 90), (500, 110), (110, 500)])
def test_the_map_of_the_whole_picture_shows_things_where_they_are(size: tuple[int, int]) -> None:
    height, width = size
    side = min(size) // 2
    left, top = width - side - 4, height // 3
    run = CountingFinder()
    maps = map_whole(draw_square(height, width, left, top, side), run)
    assert run.pictures == 1
    assert_shows_square(maps, left, top, side)
    assert maps.ink.shape == pytest.approx((maps.scale * height, maps.scale * width), abs=1)  # without the padding
    assert max(maps.ink.shape) == 96


def test_the_map_of_a_window_shows_things_where_they_are_in_the_picture() -> None:
    run = CountingFinder()
    pixels = draw_square(600, 800, 430, 310, 40)
    maps = map_window(pixels, (400, 300, 150, 100), run)
    assert run.pictures == 1
    assert maps.scale == pytest.approx(96 / 150)
    assert_shows_square(maps, 430, 310, 40)


def test_the_map_of_tiles_shows_things_where_they_are_in_the_picture() -> None:
    run = CountingFinder()
    pixels = draw_square(600, 800, 330, 250, 40)
    maps = map_tiles(pixels, (100, 50, 600, 500), 1, run, max_tiles=30)
    assert maps.scale == 0.5
    assert 9 <= run.pictures <= 20
    assert_shows_square(maps, 330, 250, 40)
    coarse = map_tiles(pixels, (100, 50, 600, 500), 1, run, max_tiles=4)
    assert coarse.scale < 0.5
    assert_shows_square(coarse, 330, 250, 40)
