import cv2
import numpy as np
import pytest

from training.data.pages import camera
from training.data.pages.canvas import Canvas


def draw_disc() -> Canvas:
    """Return a grey canvas with a dark disc that is marked as a digit."""
    canvas = Canvas(120, 160)
    canvas.pixels[:] = 200
    disc = cv2.circle(np.zeros((41, 41), np.float32), (20, 20), 19, 1.0, cv2.FILLED)
    canvas.paint(disc, np.zeros(3, np.float32), 30, 60)
    canvas.add_digit(disc, 30, 60)
    return canvas


def test_a_shadow_darkens_a_part_of_the_page() -> None:
    for seed in range(5):
        canvas = draw_disc()
        before = canvas.pixels.copy()
        camera.cast_shadow(canvas, np.random.default_rng(seed))
        assert (canvas.pixels <= before + 1e-3).all()
        assert canvas.pixels.mean() < 0.99 * before.mean()


def test_a_tilt_moves_the_maps_with_the_pixels() -> None:
    moved = 0
    for seed in range(5):
        canvas = draw_disc()
        canvas_ink, canvas_cores = canvas.ink.copy(), canvas.cores.copy()
        camera.tilt(canvas, np.random.default_rng(seed))
        assert canvas.pixels.shape == (120, 160, 3)
        dark, ink = canvas.pixels.mean(axis=2) < 100, canvas.ink > 0.5
        assert (dark & ink).sum() > 0.97 * (dark | ink).sum()
        assert (canvas.ink[canvas.cores > 0.5] > 0.9).all()
        moved += not np.array_equal(canvas.ink, canvas_ink) and not np.array_equal(canvas.cores, canvas_cores)
    assert moved >= 4


@pytest.mark.parametrize("size", [(192, 192), (40, 60), (3, 5)])
def test_a_photograph_has_the_size_of_the_page_and_8_bits(size: tuple[int, int]) -> None:
    page = np.full((*size, 3), 130, np.float32)
    page[: size[0] // 2] = 20
    pictures = [camera.photograph(page.copy(), np.random.default_rng(seed)) for seed in range(15)]
    assert {(picture.shape, picture.dtype.name) for picture in pictures} == {((*size, 3), "uint8")}
    assert len({picture.tobytes() for picture in pictures}) > 10
    np.testing.assert_array_equal(pictures[3], camera.photograph(page.copy(), np.random.default_rng(3)))


def test_most_photographs_show_what_was_on_the_page() -> None:
    canvas = draw_disc()
    contrasts = []
    for seed in range(20):
        picture = camera.photograph(canvas.pixels.copy(), np.random.default_rng(seed)).mean(axis=2)
        contrasts.append(abs(picture[canvas.ink > 0.5].mean() - picture[canvas.ink < 0.5].mean()))
    assert np.median(contrasts) > 60


def test_a_lower_resolution_keeps_the_size_and_the_maps() -> None:
    canvas = draw_disc()
    pixels, ink = canvas.pixels.copy(), canvas.ink.copy()
    camera.lower_resolution(canvas, 8, np.random.default_rng(0))
    assert canvas.pixels.shape == pixels.shape
    assert not np.array_equal(canvas.pixels, pixels)
    assert canvas.pixels.mean() == pytest.approx(pixels.mean(), rel=0.05)
    np.testing.assert_array_equal(canvas.ink, ink)
