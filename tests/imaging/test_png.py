"""PNG files: plain files are decoded correctly by the fast decoder, and other files are left to Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imaging import PictureTooLarge, png

COLOUR_TYPES = {"L": 0, "RGB": 2, "RGBA": 6}


def noise(mode: str = "L", height: int = 17, width: int = 23) -> NDArray[np.uint8]:
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def save(pixels: NDArray[np.uint8], **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """Insert a chunk after the header."""
    return data[:33] + chunk(kind, content) + data[33:]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("mode", COLOUR_TYPES)
def test_every_filter_is_decoded(mode: str, number: int) -> None:
    channels = len(mode)
    rows = b"".join(bytes([number]) + row.tobytes() for row in noise(mode))
    header = struct.pack(">IIBBBBB", 23, 17, 8, COLOUR_TYPES[mode], 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    data = png.SIGNATURE + b"".join(chunk(*part) for part in parts)

    pixels = png.decode_plain(data)

    assert pixels is not None
    assert pixels.shape == ((17, 23, channels) if channels > 1 else (17, 23))
    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(pixels, np.asarray(picture))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(save(noise().astype(np.uint16) * 257), id="sixteen bits"),
        pytest.param(save(noise() > 127), id="one bit"),
        pytest.param(save(noise(), transparency=5), id="a transparent grey"),
        pytest.param(with_chunk(save(noise()), b"iCCP", b"sRGB\0\0" + zlib.compress(b"profile")), id="a profile"),
        pytest.param(
            with_chunk(save(noise()), b"tEXt", b"Raw profile type exif\0" + b"\nexif\n 1\n00"), id="EXIF as a text"
        ),
        pytest.param(with_chunk(save(noise()), b"eXIf", b"II*\0"), id="EXIF"),
        pytest.param(save(noise())[:-12], id="no end"),
        pytest.param(save(noise())[:-1] + b"!", id="a wrong checksum at the end"),
        pytest.param(save(noise()) + b"more", id="more behind"),
        pytest.param(save(noise())[:90] + b"!" + save(noise())[91:], id="a wrong checksum"),
        pytest.param(png.SIGNATURE, id="a signature alone"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_file_that_is_not_plain_or_is_broken_is_left_to_pillow(data: bytes) -> None:
    assert png.decode_plain(data) is None


def test_texts_and_colour_chunks_change_no_pixel() -> None:
    data = with_chunk(with_chunk(save(noise("RGBA")), b"tEXt", b"Software\0me"), b"gAMA", struct.pack(">I", 45455))
    np.testing.assert_array_equal(png.decode_plain(data), noise("RGBA"))


def test_the_size_is_read_from_the_header() -> None:
    assert png.read_size(save(noise())) == (23, 17)
    assert png.read_size(save(noise())[:23]) is None


def test_texts_and_profiles_are_left_out_without_decompressing_them_whole() -> None:
    data = save(noise())
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(1_000_000)))
    profile = chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(1_000_000)))
    exif = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHLL", 0x0112, 3, 1, 6))

    container = png.inspect(data[:33] + 25 * text + profile + exif + data[33:])

    assert container.orientation == 6
    assert len(container.data) <= len(data)


def test_the_number_of_chunks_is_bounded() -> None:
    data = save(noise())
    with pytest.raises(PictureTooLarge, match="chunks"):
        png.inspect(data[:33] + 60_000 * chunk(b"tEXt", b"a\0") + data[33:])
    assert png.is_cheap(data, 320 * 320)
    assert not png.is_cheap(data[:33] + 200 * chunk(b"tEXt", b"a\0") + data[33:], 320 * 320)
    assert not png.is_cheap(data, 100)


def test_the_rows_of_a_wide_picture_count_as_memory() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 900_000, 20, 16, 6, 0, 0, 0))
    assert png.inspect(png.SIGNATURE + header + chunk(b"IEND", b"")).buffers >= 2 * 8 * 900_000


def test_the_frames_of_an_animated_file_are_counted() -> None:
    frames = [Image.new("L", (28, 28), grey) for grey in (0, 100, 200)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    assert png.count_frames(file.getvalue()) == 3
    file = io.BytesIO()
    frames[0].save(file, "PNG")
    assert png.count_frames(file.getvalue()) == 1
    assert png.count_frames(file.getvalue()[:20]) == 1
