"""WebP files: the pixels are those of Pillow, and the size of the canvas is checked before decoding."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from imaging import PictureTooLarge, UnreadablePicture, decode, webp


def save(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", **options)
    return file.getvalue()


def noise(mode: str, height: int = 61, width: int = 43) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, len(mode)), np.uint8))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(name + struct.pack("<L", len(content)) + content for name, content in chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_are_those_of_pillow(mode: str, *, lossless: bool, animated: bool) -> None:
    more = {"save_all": True, "append_images": [noise(mode).rotate(90)]} if animated else {}
    data = save(noise(mode), lossless=lossless, exif=Image.Exif(), **more)
    with Image.open(io.BytesIO(data)) as picture:
        expected, channels = np.asarray(picture), webp.decode(data).shape[2]
    np.testing.assert_array_equal(webp.decode(data), expected[..., :channels])
    assert (expected[..., channels:] == 255).all()


def test_a_canvas_larger_than_allowed_is_refused() -> None:
    frame = save(noise("RGB"))[12:]
    size = (16_383).to_bytes(3, "little")
    animation = bytes(6) + (42).to_bytes(3, "little") + (60).to_bytes(3, "little") + bytes(4) + frame
    with pytest.raises(PictureTooLarge, match="16384 x 16384"):
        decode(riff((b"VP8X", b"\x02\0\0\0" + 2 * size), (b"ANMF", animation)))


def test_a_lossless_picture_that_needs_too_much_memory_is_refused() -> None:
    header = struct.pack("<BL", 0x2F, 5999 | 3999 << 14) + bytes(20)
    with pytest.raises(PictureTooLarge, match="MB of memory"):
        decode(riff((b"VP8L", header + b"\0")))


def test_the_number_of_chunks_is_bounded() -> None:
    with pytest.raises(PictureTooLarge, match="chunks"):
        decode(riff(*[(b"abcd", b"")] * 30_000))


@pytest.mark.parametrize(
    "data", [riff(), riff((b"VP8 ", bytes(40))), riff((b"VP8X", bytes(10))), save(noise("RGB"))[:900]]
)
def test_a_broken_file_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        decode(data)


def test_the_frames_are_counted() -> None:
    frames = [Image.new("RGB", (28, 28), (grey, grey, grey)) for grey in (0, 100, 200)]
    for count in (1, 3):
        file = io.BytesIO()
        frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:count])
        assert webp.count_frames(file.getvalue()) == count
