"""BMP files: run lengths are decompressed as Pillow does, in bounded time."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from imaging import PictureTooLarge, UnreadablePicture, bmp, decode

PALETTE = b"".join(bytes((value, 255 - value, value * 5 % 256, 0)) for value in range(256))


def runs(width: int, height: int, body: bytes, *, nibbles: bool = False, pixel_offset: int = 54 + 1024) -> bytes:
    info = struct.pack("<LllHHLLllLL", 40, width, height, 1, 4 if nibbles else 8, 2 if nibbles else 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<LLL", 0, 0, pixel_offset) + info + PALETTE + body


MIXED = b"\3\7\0\5abcde\0\0\2\4\0\0\0" + b"\0\3xyz\0" + b"\7\1\0\2\1\1\4\2\0\0" + b"\xff\3\0\0" * 6


@pytest.mark.parametrize("pixel_offset", [54 + 1024, 0])
@pytest.mark.parametrize("nibbles", [False, True])
@pytest.mark.parametrize("width", [12, 10])
def test_runs_are_decompressed_as_pillow_does(width: int, *, nibbles: bool, pixel_offset: int) -> None:
    data = runs(width, 5, MIXED, nibbles=nibbles, pixel_offset=pixel_offset)
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(decode(data), expected)


def test_many_runs_are_refused() -> None:
    started = time.process_time()
    with pytest.raises(PictureTooLarge, match="runs"):
        decode(runs(2000, 2000, b"\1\2" * 1_000_000))
    assert time.process_time() - started < 2


def test_short_lines_of_a_large_picture_take_little_time() -> None:
    started = time.process_time()
    decode(runs(3000, 2000, b"\1\2\0\0" * 2000))
    assert time.process_time() - started < 0.5


def test_runs_with_too_few_pixels_are_unreadable() -> None:
    with pytest.raises(UnreadablePicture, match="fewer pixels"):
        decode(runs(20, 20, b"\1\2\0\1"))


def test_a_file_without_run_lengths_is_unchanged() -> None:
    file = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(file, "BMP")
    assert bmp.decompress(file.getvalue()) == file.getvalue()
    assert bmp.inspect(file.getvalue())[:2] == (5, 4)
