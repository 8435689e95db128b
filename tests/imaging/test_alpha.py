"""Transparency: the background has contrast with the ink, and the visible pixels keep their colours."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.alpha import composite_on_background


def stroke(colour: tuple[int, int, int], background: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Draw an opaque vertical stroke on a background with transparency."""
    pixels = np.full((30, 40, 4), background, np.uint8)
    pixels[5:26, 18:22] = (*colour, 255)
    return pixels


def test_black_ink_on_transparent_black_gets_a_white_background() -> None:
    pixels = composite_on_background(stroke((0, 0, 0), (0, 0, 0, 0)))

    assert (pixels[0, 0] == 255).all()
    assert (pixels[15, 20] == 0).all()


def test_white_ink_on_transparent_white_gets_a_black_background() -> None:
    pixels = composite_on_background(stroke((255, 255, 255), (255, 255, 255, 0)))

    assert (pixels[0, 0] == 0).all()
    assert (pixels[15, 20] == 255).all()


def test_transparent_corners_of_an_opaque_picture_get_its_median_colour() -> None:
    rgba = stroke((255, 255, 255), (30, 30, 60, 255))
    rgba[0, 0] = 0

    assert composite_on_background(rgba)[0, 0].tolist() == [30, 30, 60]


def test_an_alpha_channel_without_a_visible_pixel_is_ignored() -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (30, 40, 4), np.uint8)
    rgba[..., 3] = 0

    np.testing.assert_array_equal(composite_on_background(rgba), rgba[..., :3])


def test_an_opaque_picture_keeps_its_colours() -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (30, 40, 4), np.uint8)
    rgba[..., 3] = 255

    np.testing.assert_array_equal(composite_on_background(rgba), rgba[..., :3])


@pytest.mark.parametrize(("alpha", "expected"), [(255, 0), (128, 127), (64, 191), (0, 255)])
def test_partly_transparent_ink_is_mixed_with_the_background(alpha: int, expected: int) -> None:
    rgba = stroke((0, 0, 0), (0, 0, 0, 0))
    rgba[10, 20, 3] = alpha

    assert composite_on_background(rgba)[10, 20].tolist() == [expected] * 3
