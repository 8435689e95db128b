import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import encode_png, preprocess_picture, preprocess_pictures
from imaging.enlargement import undo_enlargement

RANDOM = np.random.default_rng(0)


def enlarge(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


@pytest.mark.parametrize("shape", [(8, 8), (16, 12), (28, 28), (8, 8, 3)])
@pytest.mark.parametrize("factor", [5, 12, 20])
def test_an_enlarged_tiny_picture_becomes_the_tiny_picture(shape: tuple[int, ...], factor: int) -> None:
    small = RANDOM.integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(undo_enlargement(enlarge(small, factor)), small)


def test_other_pictures_are_unchanged() -> None:
    small = RANDOM.integers(0, 256, (8, 8), np.uint8)
    with_one_other_pixel = enlarge(small, 20)
    with_one_other_pixel[13, 15] ^= 1
    for pixels in (
        small,
        with_one_other_pixel,
        enlarge(RANDOM.integers(0, 256, (40, 30), np.uint8), 3),  # not tiny before it was enlarged
        RANDOM.integers(0, 256, (40, 60, 3), np.uint8),
        np.zeros((1, 300), np.uint8),
    ):
        assert undo_enlargement(pixels) is pixels


def test_an_enlarged_digit_is_preprocessed_as_the_small_one() -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16] = 200
    small, large = encode_png(digit), encode_png(enlarge(digit, 10))
    expected = preprocess_picture(small).image
    np.testing.assert_array_equal(preprocess_picture(large).image, expected)
    (outcome,) = preprocess_pictures([large])
    assert not isinstance(outcome, Exception)
    np.testing.assert_array_equal(outcome.image, expected)
