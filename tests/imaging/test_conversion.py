"""Conversion to 8 bits: modes, orientation and reduction, as Pillow would do them on the whole picture."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaging.conversion import reduction_factor, rotate_upright, to_8_bits

ORIENTATIONS = range(1, 9)


def noise(mode: str = "L", height: int = 61, width: int = 43) -> Image.Image:
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, np.uint8))


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Turn `picture` upright as Pillow does."""
    exif = picture.getexif()
    exif[0x0112] = orientation
    return ImageOps.exif_transpose(picture)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_orientation_is_applied_as_in_pillow(mode: str, orientation: int) -> None:
    expected = np.asarray(upright(noise(mode), orientation))

    np.testing.assert_array_equal(to_8_bits(noise(mode), orientation), expected)
    np.testing.assert_array_equal(rotate_upright(np.asarray(noise(mode)), orientation), expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("height", "width"), [(900, 1111), (1111, 900), (3000, 7), (7, 3000)])
def test_a_large_picture_is_reduced_in_strips_as_a_whole(height: int, width: int, orientation: int) -> None:
    picture = noise("RGB", height, width)
    factor = reduction_factor(width, height)

    pixels = to_8_bits(picture, orientation)

    turned = upright(picture, orientation)
    factors = min(factor, turned.width), min(factor, turned.height)
    np.testing.assert_array_equal(pixels, np.asarray(turned.reduce(factors)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_array_is_converted_as_a_pillow_image_is(mode: str) -> None:
    picture = noise(mode, 900, 1111)

    np.testing.assert_array_equal(to_8_bits(np.asarray(picture)), to_8_bits(picture))


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr"])
def test_other_modes_become_grey_or_rgb(mode: str) -> None:
    picture = noise("RGB").convert(mode)

    np.testing.assert_array_equal(to_8_bits(picture), np.asarray(picture.convert("L" if mode == "1" else "RGB")))


def test_twelve_bits_in_sixteen_are_scaled_to_the_whole_range() -> None:
    twelve_bits = np.linspace(0, 4095, 1200).reshape(30, 40).astype(np.uint16)

    pixels = to_8_bits(twelve_bits)

    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_values_that_are_not_finite_become_black() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, -1.0, 2.0]], np.float32)

    assert to_8_bits(values).tolist() == [[0, 0, 0, 0, 255]]


@pytest.mark.parametrize(("side", "factor"), [(28, 0), (767, 1), (769, 2), (4000, 8)])
def test_the_longest_side_decides_the_reduction(side: int, factor: int) -> None:
    assert reduction_factor(side, side // 2) == reduction_factor(side // 2, side) == factor
