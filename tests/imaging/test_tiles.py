import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import cut_tiles

SIDE = 64


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def mean_of_cells(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean of each 2x2 pixels, 0 to 1: (n, h, w, 3) -> (n, h/2, w/2). It stands for the finder."""
    count, height, width, _ = pictures.shape
    cells = pictures.astype(np.float32).reshape(count, height // 2, 2, width // 2, 2, 3)
    return cells.mean(axis=(2, 4, 5)) / 255


@pytest.mark.parametrize("size", [(64, 64), (30, 50), (150, 64), (150, 230), (101, 75), (5, 400)])
def test_the_maps_of_the_tiles_are_joined_to_the_map_of_the_whole(size: tuple[int, int]) -> None:
    height, width = size
    pixels = noise(height, width)
    tiles = cut_tiles(pixels, (0, 0, width, height), 1, SIDE, max_count=100)
    joined = tiles.join(mean_of_cells(tiles.pictures))
    assert joined.shape == (-(-height // 2), -(-width // 2))
    whole = pixels[: height // 2 * 2, : width // 2 * 2][np.newaxis]
    np.testing.assert_allclose(joined[: height // 2, : width // 2], mean_of_cells(whole)[0], atol=0.001)


def test_the_border_of_a_tile_counts_less_than_the_inside_of_the_next() -> None:
    tiles = cut_tiles(noise(64, 112), (0, 0, 112, 64), 1, SIDE, max_count=2)
    assert tiles.places == [(0, 0), (48, 0)]
    maps = np.stack([np.zeros((32, 32), np.float32), np.ones((32, 32), np.float32)])
    row = tiles.join(maps)[16]
    assert (row[:24] == 0).all()
    assert (row[32:] > 0.999).all()
    assert (np.diff(row[23:33]) > 0).all()
    assert row[24] < 0.01
    assert row[31] > 0.99


def test_the_scale_is_lowered_until_few_tiles_cover_the_area() -> None:
    pixels = noise(200, 300)
    tiles = cut_tiles(pixels, (0, 0, 300, 200), 3, SIDE, max_count=7)
    assert len(tiles.pictures) == len(tiles.places) <= 7
    assert tiles.scale < 1
    assert tiles.size == (round(300 * tiles.scale), round(200 * tiles.scale))


def test_only_the_area_is_cut_and_padded_with_the_colour_of_its_border() -> None:
    pixels = noise(100, 100)
    pixels[20:50, 30:70] = (10, 20, 30)
    pixels[30:40, 40:60] = 255
    tiles = cut_tiles(pixels, (30, 20, 40, 30), 1, SIDE, max_count=100)
    (tile,) = tiles.pictures
    np.testing.assert_array_equal(tile[:30, :40], pixels[20:50, 30:70])
    assert (tile[30:] == (10, 20, 30)).all()
    assert (tile[:, 40:] == (10, 20, 30)).all()
