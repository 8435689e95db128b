import cv2
import numpy as np
import pytest

from training.data.pages.canvas import Box, Canvas

BLACK = np.zeros(3, np.float32)


def full(height: int, width: int) -> np.ndarray:
    """Return the coverage of a digit that is a block of ink."""
    return np.ones((height, width), np.float32)


def test_paint_covers_the_pixels_below_it_also_at_the_border() -> None:
    canvas = Canvas(20, 30)
    canvas.paint(0.5 * full(6, 8), np.array([55, 155, 255], np.float32), left=-3, top=16)
    assert (canvas.pixels[16:, :5] == (155, 205, 255)).all()
    canvas.pixels[16:, :5] = 255
    assert (canvas.pixels == 255).all()
    canvas.paint(full(6, 8), BLACK, left=40, top=0)  # outside
    assert (canvas.pixels == 255).all()
    assert not canvas.ink.any()


def test_a_whole_digit_has_its_ink_and_a_core_inside_it() -> None:
    canvas = Canvas(60, 60)
    assert canvas.add_digit(0.8 * full(40, 24), 10, 5)
    np.testing.assert_allclose(canvas.ink[5:45, 10:34], 0.8)
    assert canvas.ink.sum() == pytest.approx(0.8 * 40 * 24)
    assert cv2.boundingRect((canvas.cores > 0).astype(np.uint8)) == pytest.approx((16, 15, 13, 21), abs=1)
    assert canvas.digits == 1


@pytest.mark.parametrize(("left", "top"), [(-10, 5), (48, 5), (10, -15), (10, 40), (90, 90)])
def test_a_digit_that_the_border_cuts_has_neither_ink_nor_core(left: int, top: int) -> None:
    canvas = Canvas(60, 60)
    assert not canvas.add_digit(full(40, 24), left, top)
    assert not canvas.ink.any()
    assert not canvas.cores.any()
    assert canvas.digits == 0


def test_a_digit_that_is_hardly_cut_is_whole() -> None:
    canvas = Canvas(60, 60)
    assert canvas.add_digit(full(40, 24), -2, 5)
    assert canvas.ink[:, :22].sum() == 40 * 22
    assert canvas.digits == 1


def test_the_core_of_a_thin_digit_is_seen_in_the_map_of_half_the_size() -> None:
    canvas = Canvas(64, 64)
    canvas.add_digit(full(24, 2), 21, 9)
    cores = cv2.resize(canvas.cores, (32, 32), interpolation=cv2.INTER_AREA)
    assert (cores >= 0.5).sum() >= 4


def test_where_two_digits_touch_is_marked() -> None:
    canvas = Canvas(60, 80)
    canvas.add_digit(full(40, 24), 10, 5)
    assert not canvas.contact.any()
    canvas.add_digit(full(20, 24), 34, 15)
    assert cv2.boundingRect(canvas.contact.astype(np.uint8)) == (33, 14, 2, 22)
    canvas.add_digit(full(10, 10), 65, 5)  # apart
    assert not canvas.contact[:, 40:].any()


def test_the_cores_of_two_digits_that_touch_are_apart() -> None:
    canvas = Canvas(60, 80)
    canvas.add_digit(full(40, 24), 10, 5)
    canvas.add_digit(full(40, 24), 34, 5)
    assert cv2.connectedComponents((canvas.ink > 0.5).astype(np.uint8))[0] == 2
    assert cv2.connectedComponents((canvas.cores > 0.5).astype(np.uint8))[0] == 3
    assert canvas.digits == 2


def test_shade_multiplies_and_the_mean_luminance_is_that_of_the_box() -> None:
    canvas = Canvas(20, 40)
    shadow = np.ones((20, 40), np.float32)
    shadow[:, 20:] = 0.4
    canvas.shade(shadow)
    assert canvas.mean_luminance(Box(0, 0, 20, 20)) == 255
    assert canvas.mean_luminance(Box(20, -5, 50, 50)) == pytest.approx(102)
    assert canvas.mean_luminance(Box(100, 100, 5, 5)) == 128  # outside
