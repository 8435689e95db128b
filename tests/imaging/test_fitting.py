import numpy as np
import pytest

from imaging import fit_to_square


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (192, 192), (400, 100), (1, 300), (7, 7)])
def test_a_point_of_the_picture_is_where_scale_and_offsets_say(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.full((height, width, 3), 200, np.uint8)
    fitted = fit_to_square(pixels, 192)
    assert fitted.pixels.shape == (192, 192, 3)
    assert (fitted.pixels == 200).all()
    pixels[height // 2 :] = 20
    pixels[:, width // 2 :, 0] = 0
    fitted = fit_to_square(pixels, 192)
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)):
        place = int(fitted.scale * y * height) + fitted.top, int(fitted.scale * x * width) + fitted.left
        expected = pixels[int(y * height), int(x * width)]
        if min(size) > 10:
            assert np.abs(fitted.pixels[place].astype(int) - expected).max() < 5


def test_a_picture_is_padded_with_the_colour_of_its_border() -> None:
    pixels = np.full((50, 100, 3), (250, 240, 30), np.uint8)
    pixels[10:40, 20:80] = 0
    fitted = fit_to_square(pixels, 200)
    assert (fitted.scale, fitted.left, fitted.top) == (2, 0, 50)
    assert (fitted.pixels[:50] == (250, 240, 30)).all()
    assert (fitted.pixels[150:] == (250, 240, 30)).all()
    assert (fitted.pixels[100, 100] == 0).all()


def test_a_grey_picture_of_the_right_size_is_only_made_rgb() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    fitted = fit_to_square(grey, 64)
    np.testing.assert_array_equal(fitted.pixels, np.dstack([grey] * 3))
    assert fitted[1:] == (1, 0, 0)
