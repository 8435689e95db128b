"""PBM, PGM and PPM files are decoded as Pillow does, in bounded time."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from imaging import PictureError, PictureTooLarge, UnreadablePicture, decode, pnm

VALUES = np.arange(3 * 4 * 5) * 7 % 100
TEXT = b" ".join(b"%d" % value for value in VALUES)


@pytest.mark.parametrize(
    "data",
    [
        b"P1\n# bits\n4 5\n" + b"0110" * 4 + b"# end\n" + b"1 0\n0 1",
        b"P2\n#c\n4 #d\r5\n100\n" + TEXT,
        b"P3 4 5 99 " + TEXT,
        b"P4\n9 3\n" + bytes((0b10101010, 128, 7, 0, 255, 128)),
        b"P5 4 5 255\n" + VALUES[:20].astype(np.uint8).tobytes(),
        b"P5 4 5 77\n" + VALUES[:20].astype(np.uint8).tobytes(),
        b"P6\n4 5\n100\n" + VALUES.astype(np.uint8).tobytes(),
        b"P6\n4 5\n1000\n" + (VALUES * 10).astype(">u2").tobytes(),
    ],
)
def test_each_kind_is_decoded_as_pillow_does(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
    pixels = pnm.decode(data)
    np.testing.assert_array_equal(pixels * 255 if pixels.max() == 1 else pixels, expected)


@pytest.mark.parametrize("max_value", [255, 256, 1000, 65535])
@pytest.mark.parametrize("kind", [2, 5])
def test_grey_pictures_of_more_than_8_bits_are_scaled_to_16_bits(kind: int, max_value: int) -> None:
    values = (np.arange(20) * max_value // 19).astype(np.int64)
    body = b" ".join(b"%d" % value for value in values) if kind == 2 else values.astype(">u2").tobytes()
    if kind == 5 and max_value < 256:
        body = values.astype(np.uint8).tobytes()
    data = b"P%d 4 5 %d\n" % (kind, max_value) + body
    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(pnm.decode(data), np.asarray(picture))


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n" + b"#\n" * 2_000_000,
        b"P5\n#" + b"a" * 4_000_000,
        b"P2\n9 9\n255\n" + b"#\n" * 2_000_000,
        b"P2\n2000 1000\n255\n" + b"1#\n" * 1_000_000,
        b"P2\n2 2\n255\n" + b"1" * 4_000_000,
        b"P3\n6000 4000\n255\n1",
    ],
)
def test_comments_and_long_numbers_are_refused_in_little_time(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(PictureError):
        decode(data)
    assert time.process_time() - started < 1


def test_a_large_plain_picture_is_decoded_in_little_time() -> None:
    started = time.process_time()
    decode(b"P2\n1000 1000\n255\n" + b"1 " * 1_000_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("data", [b"P5", b"P5 0 3 255\n", b"P5 4 5 70000\n", b"P5 4 5 255\nshort", b"P2 2 1 9\n10 1"])
def test_a_broken_file_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        decode(data)


def test_a_picture_is_refused_as_too_large_by_its_header() -> None:
    with pytest.raises(PictureTooLarge, match="9000 x 9000"):
        decode(b"P4\n# c\n9000 9000\n")
