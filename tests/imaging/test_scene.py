"""Decoding of scenes: colour, orientation, and the reduction."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaging import PictureTooLarge, UnreadablePicture, UnsupportedPicture, decode, decode_scene, encode_png


def save(picture: Image.Image, name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = (3,) if mode == "RGB" else ()
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_small_picture_keeps_its_pixels_and_is_always_rgb(mode: str) -> None:
    picture = noise(40, 30, mode)
    scene = decode_scene(save(picture))
    np.testing.assert_array_equal(scene.pixels, np.asarray(picture.convert("RGB")))
    assert (scene.width, scene.height) == (40, 30)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(1500, 20), (1600, 1200), (3000, 2000), (900, 4000)])
def test_a_large_picture_is_reduced_by_a_whole_factor_and_its_own_size_is_known(
    name: str, size: tuple[int, int]
) -> None:
    scene = decode_scene(save(Image.new("RGB", size, "white"), name))
    assert (scene.width, scene.height) == size
    longest = max(scene.pixels.shape)
    assert longest <= 1536
    assert longest >= min(768, max(size))
    factor = round(max(size) / longest)
    assert scene.pixels.shape == (-(-size[1] // factor), -(-size[0] // factor), 3)
    assert (scene.pixels > 250).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("name", "size"), [("PNG", (40, 30)), ("TIFF", (40, 30)), ("JPEG", (3000, 1000))])
def test_the_size_is_that_of_the_upright_picture(name: str, size: tuple[int, int], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(Image.new("RGB", size, "white"), name, exif=exif)
    with Image.open(io.BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture).size
    scene = decode_scene(data)
    assert (scene.width, scene.height) == upright
    assert (scene.pixels.shape[1] > scene.pixels.shape[0]) == (upright[0] > upright[1])


def test_colours_stay_in_the_order_of_rgb() -> None:
    for name in ("PNG", "WEBP", "BMP"):
        pixels = decode_scene(save(Image.new("RGB", (50, 50), (250, 120, 10)), name)).pixels
        assert np.abs(pixels.reshape(-1, 3).astype(int) - (250, 120, 10)).max() < 8


def test_the_errors_are_those_of_decode() -> None:
    with pytest.raises(UnsupportedPicture):
        decode_scene(b"no picture")
    with pytest.raises(UnreadablePicture):
        decode_scene(encode_png(np.zeros((50, 50), np.uint8))[:60])
    with pytest.raises(PictureTooLarge, match=r"40 x 30 pixels; at most 1,000"):
        decode_scene(save(noise(40, 30)), max_pixels=1_000)


def test_a_picture_between_both_sizes_is_reduced_for_one_digit_only() -> None:
    data = save(noise(1000, 800))
    assert decode(data).shape == (400, 500, 3)
    assert decode_scene(data).pixels.shape == (800, 1000, 3)
