"""TIFF files: the size of decompressed strips and tiles is checked before decoding, and directories are bounded."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from imaging import PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture, decode, tiff

Entry = tuple[int, int, int, int | bytes]


def build(entries: list[Entry], body: bytes = b"") -> bytes:
    start = 8 + len(body) + len(body) % 2
    content_offset = start + 2 + 12 * len(entries) + 4
    table, contents = b"", b""
    for tag, type_, count, value in sorted(entries, key=lambda entry: entry[0]):
        if isinstance(value, bytes):
            table += struct.pack("<HHLL", tag, type_, count, content_offset + len(contents))
            contents += value
        else:
            table += struct.pack("<HHLL", tag, type_, count, value)
    beginning = b"II*\0" + struct.pack("<L", start) + body + bytes(len(body) % 2)
    return beginning + struct.pack("<H", len(entries)) + table + bytes(4) + contents


def grey(width: int, height: int, *more: Entry, compression: int = 8) -> list[Entry]:
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1), *more]


def test_tiles_much_larger_than_the_picture_are_refused() -> None:
    data = build(grey(28, 28, (322, 4, 1, 46_336), (323, 4, 1, 46_336), (324, 4, 1, 8), (325, 4, 1, 9)), bytes(9))
    with pytest.raises(PictureTooLarge, match="decompress to 2,147,024,896 bytes"):
        decode(data)


def test_one_strip_of_a_large_picture_counts_as_memory() -> None:
    def colour(height: int) -> list[Entry]:
        return [*grey(6000, height, (277, 3, 1, 3), (278, 4, 1, height), (273, 4, 1, 8), (279, 4, 1, 9))]

    assert tiff.inspect(build(colour(2000), bytes(9))).buffers == 3 * 6000 * 2000
    with pytest.raises(PictureTooLarge, match="MB of memory"):
        decode(build([entry if entry[0] != 262 else (262, 3, 1, 2) for entry in colour(4000)], bytes(9)))


def test_a_directory_that_repeats_the_same_bytes_takes_little_time() -> None:
    pixels = zlib.compress(bytes(784))
    same: list[Entry] = [(40_000 + number, 7, 3_000_000, 8) for number in range(3000)]
    body = pixels + bytes(3_000_000)
    data = build([*grey(28, 28), (273, 4, 1, 8), (279, 4, 1, len(pixels)), *same], body)
    started = time.process_time()
    assert decode(data).shape == (28, 28)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("entries", "parts"),
    [
        ([(40_000 + number, 7, 1, 0) for number in range(5000)], "entries"),
        ([*grey(1, 500_000), (278, 4, 1, 1), (273, 4, 1, 8)], "strips or tiles"),
        ([*grey(1, 500_000), (278, 4, 1, 1), (273, 4, 500_000, bytes(2_000_000))], "tag 273"),
        ([*grey(28, 28), (277, 3, 1, 60_000), (273, 4, 1, 8)], "samples"),
    ],
)
def test_the_number_of_entries_strips_and_samples_is_bounded(entries: list[Entry], parts: str) -> None:
    with pytest.raises(PictureTooLarge, match=parts):
        decode(build(entries))


def test_strips_that_overlap_are_unreadable() -> None:
    places = struct.pack("<1000L", *range(8, 1008))
    data = build(grey(1000, 1000, (278, 4, 1, 1), (273, 4, 1000, places), compression=1), bytes(2000))
    with pytest.raises(UnreadablePicture, match="overlap"):
        decode(data)


def test_the_error_for_a_rare_compression_names_the_supported_ones() -> None:
    with pytest.raises(UnsupportedPicture, match="none, CCITT, LZW, JPEG, deflate, PackBits"):
        decode(build([*grey(28, 28, compression=50_000), (273, 4, 1, 8)], bytes(9)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_pixels_and_orientation_are_those_of_pillow(compression: str | None, orientation: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (900, 1111), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "TIFF", compression=compression, tiffinfo={0x0112: orientation})
    with Image.open(file) as picture:
        picture.load()
        np.testing.assert_array_equal(decode(file.getvalue()), np.asarray(picture.reduce(2)))


@pytest.mark.parametrize("big", [False, True])
def test_tiff_and_bigtiff_are_decoded(*, big: bool) -> None:
    picture = Image.fromarray(np.arange(1200, dtype=np.uint8).reshape(30, 40))
    file = io.BytesIO()
    picture.save(file, "TIFF", big_tiff=big)
    np.testing.assert_array_equal(decode(file.getvalue()), np.asarray(picture))


def test_broken_directories_are_refused() -> None:
    for data in (b"II*\0", b"II*\0\xff\0\0\0", b"MM\0+" + bytes(12), build([(256, 4, 1, 28)])):
        with pytest.raises(PictureError):
            decode(data)


def test_the_pages_are_counted() -> None:
    pages = [Image.new("L", (28, 28), grey) for grey in (0, 100, 200)]
    for count in (1, 3):
        for options in ({}, {"big_tiff": True}):
            file = io.BytesIO()
            pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:count], **options)
            assert tiff.count_frames(file.getvalue()) == count


def test_a_preview_is_no_page_and_a_loop_of_pages_ends() -> None:
    kind = struct.pack("<HHLL", 254, 4, 1, 1)
    page, preview = struct.pack("<HL", 0, 14), struct.pack("<H", 1) + kind + struct.pack("<L", 8)
    assert tiff.count_frames(b"II*\0" + struct.pack("<L", 8) + page + preview) == 1
