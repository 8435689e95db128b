"""Conversion to grey: ink keeps its contrast with the background."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.grey import as_rgb, to_grey


def stroke(ink: tuple[int, int, int], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    pixels = np.full((40, 30, 3), background, np.uint8)
    pixels[5:35, 12:16] = ink
    return pixels


def test_a_grey_picture_is_unchanged() -> None:
    grey = np.arange(1200, dtype=np.uint8).reshape(40, 30)

    assert to_grey(grey) is grey
    np.testing.assert_array_equal(to_grey(np.dstack([grey] * 3)), grey)


@pytest.mark.parametrize(
    ("ink", "background"),
    [
        ((20, 20, 20), (240, 240, 240)),
        ((255, 240, 0), (255, 255, 255)),
        ((200, 50, 50), (50, 126, 50)),
        ((0, 0, 200), (79, 0, 0)),
    ],
    ids=["black on white", "yellow on white", "red on green of equal lightness", "blue on red"],
)
def test_ink_keeps_most_of_its_contrast(ink: tuple[int, int, int], background: tuple[int, int, int]) -> None:
    grey = to_grey(stroke(ink, background)).astype(int)

    distance = np.abs(np.subtract(ink, background)).max()
    assert abs(grey[20, 14] - grey[20, 2]) > 0.5 * distance


def test_grey_becomes_rgb_and_rgb_is_unchanged() -> None:
    grey = np.arange(1200, dtype=np.uint8).reshape(40, 30)
    rgb = as_rgb(grey)
    np.testing.assert_array_equal(rgb, np.dstack([grey] * 3))
    assert as_rgb(rgb) is rgb
