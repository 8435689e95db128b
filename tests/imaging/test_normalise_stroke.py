"""The stroke width is measured and normalised."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.normalise_stroke import normalise_stroke_width, stroke_width


def ring(width: int) -> NDArray[np.uint8]:
    return cv2.circle(np.zeros((200, 200), np.uint8), (100, 100), 70, 1, width)


def relative_width(digit: NDArray[np.uint8]) -> float:
    """Return the stroke width as a share of the longest side."""
    return stroke_width(digit) / max(cv2.boundingRect(digit)[2:])


def normalised(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `digit` with MNIST's stroke width: 1 for ink and 0 for background."""
    return normalise_stroke_width(digit, stroke_width(digit)) // 128


@pytest.mark.parametrize("width", [6, 12, 30])
def test_the_width_of_a_stroke_is_measured(width: int) -> None:
    assert stroke_width(ring(width)) == pytest.approx(width, abs=2)


@pytest.mark.parametrize("width", [1, 4, 60])
def test_thin_and_thick_strokes_get_mnists_width(width: int) -> None:
    assert 0.09 < relative_width(normalised(ring(width))) < 0.21


def test_strokes_of_mnists_width_are_unchanged() -> None:
    digit = ring(22)

    np.testing.assert_array_equal(normalised(digit), digit)


def test_a_thin_part_of_a_thick_digit_is_not_broken() -> None:
    digit = np.zeros((160, 120), np.uint8)
    digit[10:60, 10:110] = digit[100:150, 10:110] = 1
    digit[60:100, 55:63] = 1

    assert cv2.connectedComponents(normalised(digit))[0] == 2


def test_strokes_grow_by_less_than_a_pixel_too() -> None:
    digit = np.zeros((100, 40), np.uint8)
    digit[10:90, 16:24] = 1

    grown = [normalise_stroke_width(digit, width)[50].sum() / 255 for width in (8, 7.75, 7.5)]

    np.testing.assert_allclose(grown, [8, 8.25, 8.5], atol=0.1)
