"""Decoding of picture files: formats, modes, orientation, transparency and limits."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from imaging import (
    PictureTooLarge,
    UnreadablePicture,
    UnsupportedPicture,
    decode,
    encode_png,
    is_cheap_to_decode,
    may_be_cheap_to_decode,
)


def ramp(height: int = 30, width: int = 40) -> Image.Image:
    """Return a grey picture in which no two rows and no two columns are equal."""
    return Image.fromarray((np.arange(height)[:, None] * 3 + np.arange(width) * 2).astype(np.uint8))


def save(picture: Image.Image, name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["PNG", "BMP", "GIF", "TIFF", "PPM", "JPEG", "MPO", "WEBP"])
def test_each_format_is_decoded(name: str) -> None:
    pixels = decode(save(ramp(), name, **({"quality": 95} if name in {"JPEG", "MPO", "WEBP"} else {})))

    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    assert grey.shape == (30, 40)
    assert np.abs(grey - np.asarray(ramp(), np.int16)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "LAB", "YCbCr"])
def test_each_mode_is_decoded_to_the_same_grey(mode: str) -> None:
    drawing = Image.new("L", (40, 30), 255)
    ImageDraw.Draw(drawing).rectangle((10, 5, 20, 25), fill=0)
    picture = drawing.convert(mode) if mode not in {"I;16", "LAB"} else drawing
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(drawing, np.uint16) * 257)
    if mode == "LAB":
        neutral = Image.new("L", drawing.size, 128)
        picture = Image.merge("LAB", (drawing, neutral, neutral))

    pixels = decode(save(picture, "TIFF" if mode in {"CMYK", "LAB", "YCbCr"} else "PNG"))

    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    np.testing.assert_allclose(grey, np.asarray(drawing), atol=6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(ramp(), "PNG", exif=exif)

    with Image.open(io.BytesIO(data)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(decode(data), upright)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_black_ink_on_transparent_black_gets_a_white_background(name: str) -> None:
    picture = Image.new("RGBA", (40, 30))
    ImageDraw.Draw(picture).line([(20, 5), (20, 25)], fill=(0, 0, 0, 255), width=4)

    pixels = decode(save(picture, name, **({"lossless": True} if name == "WEBP" else {})))

    assert (pixels[0, 0] == 255).all()
    assert (pixels[15, 20] == 0).all()


def test_twelve_bits_in_a_sixteen_bit_file_use_the_whole_range() -> None:
    twelve_bits = np.linspace(0, 4095, 1200).reshape(30, 40).astype(np.uint16)

    assert decode(save(Image.fromarray(twelve_bits))).max() == 255


def test_the_first_frame_of_an_animation_is_decoded() -> None:
    frames = [Image.new("L", (20, 20), value) for value in (200, 10)]

    pixels = decode(save(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert (pixels == 200).all()


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_a_large_picture_is_reduced(name: str) -> None:
    pixels = decode(save(Image.new("RGB", (4000, 3000), "white"), name))

    assert 384 <= max(pixels.shape) <= 768


def test_a_picture_with_too_many_pixels_is_refused() -> None:
    with pytest.raises(PictureTooLarge, match=r"40 x 30 pixels; at most 1,000"):
        decode(save(ramp()), max_pixels=1_000)
    assert decode(save(ramp()), max_pixels=1_200).shape == (30, 40)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"<svg/>", b"RIFF\x00\x00\x00\x00WAVE", bytes(10_000)])
def test_the_error_for_an_unsupported_format_names_the_formats(data: bytes) -> None:
    with pytest.raises(UnsupportedPicture, match=r"PNG, JPEG.*WebP"):
        decode(data)


@pytest.mark.parametrize("name", ["PNG", "BMP", "GIF", "TIFF", "PPM", "JPEG", "WEBP"])
def test_the_error_for_half_a_picture_names_its_format(name: str) -> None:
    data = save(ramp(), name)

    with pytest.raises(UnreadablePicture, match=f"The {name} picture is broken or truncated"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("side", [28, 280, 760, 1000])
def test_a_png_of_any_size_is_decoded_as_pillow_does(side: int, mode: str) -> None:
    data = save(ramp(side, side // 2).convert(mode))
    with Image.open(io.BytesIO(data)) as picture:
        factor = 2 if side == 1000 else 1
        expected = np.asarray(picture.reduce(factor))

    np.testing.assert_array_equal(decode(data), expected)


def test_an_error_message_contains_no_python_object() -> None:
    data = bytearray(save(ramp()))
    data[12] = ord("X")  # of IHDR
    with pytest.raises(UnreadablePicture, match=r"broken or truncated \(its header is invalid\)\."):
        decode(bytes(data))


def test_encoding_and_decoding_a_png_gives_the_same_image() -> None:
    image = np.asarray(ramp(28, 28))

    np.testing.assert_array_equal(decode(encode_png(image)), image)


def test_a_png_is_refused_as_too_large_by_its_header_alone() -> None:
    data = save(Image.new("1", (1, 1)))
    header = data[:16] + (100_000).to_bytes(4, "big") * 2 + data[24:33]
    for rest in (b"", bytes(100), data[33:]):
        with pytest.raises(PictureTooLarge, match="100000 x 100000"):
            decode(header + rest)


def test_size_and_header_decide_whether_decoding_is_cheap() -> None:
    drawing, large = save(ramp(280, 280)), save(Image.new("1", (4000, 4000)))
    assert is_cheap_to_decode(b"anything" * 100)
    assert is_cheap_to_decode(drawing)
    assert not is_cheap_to_decode(large)  # few bytes for many pixels
    assert not is_cheap_to_decode(drawing + bytes(40_000))
    assert not is_cheap_to_decode(save(ramp(280, 280), "JPEG"))
    assert is_cheap_to_decode(save(ramp(28, 28), "JPEG"))
    for format_ in ("WEBP", "GIF", "BMP", "PPM"):  # in which a kilobyte can hold millions of pixels
        assert not is_cheap_to_decode(save(ramp(8, 8), format_))


@pytest.mark.parametrize(
    ("length", "media_type", "may_be"),
    [
        (1000, "image/jpeg", True),
        (2000, "image/jpeg", False),
        (2000, "image/png", True),
        (33_000, "image/png", True),
        (40_000, "image/png", False),
        (33_000, "multipart/form-data; boundary=x", True),
        (40_000, "multipart/form-data; boundary=x", False),
        (2000, "", True),
        (2000, "image/png; charset=binary", True),
        (2000, "image/x-png", True),
        (2000, "IMAGE/JPEG; q=1", False),
    ],
)
def test_length_and_media_type_decide_whether_decoding_may_be_cheap(
    length: int, media_type: str, *, may_be: bool
) -> None:
    assert may_be_cheap_to_decode(length, media_type) is may_be
