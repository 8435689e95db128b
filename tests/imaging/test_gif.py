"""GIF files: the number of blocks before the first frame is bounded."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from imaging import PictureError, PictureTooLarge, decode, gif

SCREEN = b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0)


def save(**options: object) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(np.arange(1200, dtype=np.uint8).reshape(30, 40)).convert("P")
    picture.save(file, "GIF", **options)
    return file.getvalue()


@pytest.mark.parametrize("blocks", [b"!\xfe" + b"\1a" * 1_000_000, b"!\xfe\1a\0" * 500_000, b"!\1\0" * 500_000])
def test_the_number_of_texts_and_extensions_is_bounded(blocks: bytes) -> None:
    started = time.process_time()
    with pytest.raises(PictureTooLarge, match="blocks before its first frame"):
        decode(SCREEN + blocks)
    assert time.process_time() - started < 0.5


def test_bytes_without_a_block_are_refused_in_little_time() -> None:
    started = time.process_time()
    with pytest.raises(PictureError):
        decode(SCREEN + b"\1" * 4_000_000)
    assert time.process_time() - started < 0.5


def test_a_frame_larger_than_the_screen_decides_the_size() -> None:
    frame = b"," + struct.pack("<HHHHB", 10, 20, 65_000, 60_000, 0) + b"\2\1\0\0;"
    container = gif.inspect(SCREEN + frame)
    assert (container.width, container.height) == (65_010, 60_020)
    with pytest.raises(PictureTooLarge, match="65010 x 60020"):
        decode(SCREEN + frame)


def test_transparency_and_pixels_are_unchanged() -> None:
    data = save(transparency=7, comment=b"comment" * 100, disposal=2)
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(gif.inspect(data).data)) as left:
        np.testing.assert_array_equal(np.asarray(whole.convert("RGBA")), np.asarray(left.convert("RGBA")))


def test_the_frames_are_counted() -> None:
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (60, 50), np.uint8)) for _ in range(3)]
    for count in (1, 2, 3):
        file = io.BytesIO()
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:count])
        assert gif.count_frames(file.getvalue()) == count
        assert gif.count_frames(file.getvalue()[:-300]) in {count, count - 1}


def test_counting_frames_takes_little_time() -> None:
    header = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    started = time.process_time()
    assert gif.count_frames(header + b"!\xfe" + b"\x01 " * 4_000_000) == 0
    assert gif.count_frames(header + b",\0\0\0\0\1\0\1\0\0\2\0" * 500_000) > 1000
    assert time.process_time() - started < 0.2
