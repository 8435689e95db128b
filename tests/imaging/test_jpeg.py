"""JPEG files: scans, segments and tables are bounded, and segments that a decoder does not need are left out."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from imaging import PictureError, PictureTooLarge, UnreadablePicture, decode, is_cheap_to_decode, jpeg


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def header(width: int, height: int, *, components: int = 3, progressive: bool = False, before: bytes = b"") -> bytes:
    parts = b"".join(bytes((number, 0x11, 0)) for number in range(1, components + 1))
    frame = struct.pack(">BHHB", 8, height, width, components) + parts
    codes = b"".join(segment(0xC4, bytes((kind, 1)) + bytes(16)) for kind in (0, 0x10))
    return b"\xff\xd8" + before + segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC0 + 2 * progressive, frame) + codes


def scan(components: int = 3) -> bytes:
    return (
        segment(0xDA, bytes((components, *(part for n in range(components) for part in (n + 1, 0)), 0, 0, 0))) + b"\0"
    )


def save(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def test_many_scans_are_refused_at_once() -> None:
    data = header(28, 28, progressive=True) + 200_000 * scan()
    started = time.process_time()
    with pytest.raises(PictureTooLarge, match="more than 64 scans"):
        decode(data)
    assert time.process_time() - started < 0.2


def test_scans_times_samples_are_bounded() -> None:
    with pytest.raises(PictureTooLarge, match="50 scans"):
        jpeg.inspect(header(6000, 4000, progressive=True) + 50 * scan())
    jpeg.inspect(header(600, 400, progressive=True) + 50 * scan())


def test_few_bytes_with_many_scans_or_pixels_are_not_cheap() -> None:
    assert not is_cheap_to_decode(header(366, 65500, components=4, progressive=True) + 79 * scan(1))
    assert not is_cheap_to_decode(header(366, 65500, components=1) + scan(1))
    assert not is_cheap_to_decode(header(28, 28, progressive=True) + scan())
    assert is_cheap_to_decode(header(28, 28) + scan())
    assert is_cheap_to_decode(b"\xff\xd8\xff\xe0broken")


@pytest.mark.parametrize(
    ("before", "parts"),
    [(b"\xff\xfe\0\2" * 20_000, "segments"), (segment(0xDB, (b"\0" + b"\1" * 64) * 900) * 2, "bytes of tables")],
)
def test_segments_and_tables_before_the_pixels_are_bounded(before: bytes, parts: str) -> None:
    with pytest.raises(PictureTooLarge, match=parts):
        jpeg.inspect(header(28, 28, before=before) + scan())


def test_coefficients_of_a_progressive_picture_count_as_memory() -> None:
    assert jpeg.inspect(header(4000, 3000, progressive=True) + scan()).buffers == 2 * 3 * 4000 * 3000
    assert jpeg.inspect(header(4000, 3000) + scan()).buffers == 0
    assert jpeg.inspect(header(4000, 3000) + scan(1)).buffers == 2 * 3 * 4000 * 3000
    with pytest.raises(PictureTooLarge, match=r"MB of memory.*baseline JPEG"):
        decode(header(6000, 4000, progressive=True) + scan())


def test_leaving_out_texts_profiles_and_exif_changes_no_pixel() -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = save(picture, exif=exif, comment=b"comment", icc_profile=bytes(200_000))

    container = jpeg.inspect(data)

    assert container.orientation == 6
    assert len(container.data) < len(data) - 200_000
    with Image.open(io.BytesIO(save(picture))) as plain, Image.open(io.BytesIO(container.data)) as left:
        np.testing.assert_array_equal(np.asarray(plain), np.asarray(left))


def test_a_directory_of_exif_that_repeats_the_same_bytes_costs_nothing() -> None:
    entries = b"".join(struct.pack("<HHLL", 0x9000 + number, 7, 60_000, 8) for number in range(5000))
    exif = segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + entries)
    data = save(Image.new("L", (28, 28)))
    started = time.process_time()
    decode(data[:2] + 100 * exif + data[2:])
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "data", [b"\xff\xd8" + b"\1" * 4_000_000, b"\xff\xd8" + b"\xff" * 4_000_000, b"\xff\xd8\xff\xda\0\2"]
)
def test_bytes_without_a_segment_are_refused_in_little_time(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(PictureError):
        decode(data[:2] + b"\xff\xe0\0\2" + data[2:])
    assert time.process_time() - started < 0.3


def test_a_header_without_scan_is_unreadable() -> None:
    with pytest.raises(UnreadablePicture, match="followed by no scan"):
        decode(header(28, 28))


def noisy(size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return save(Image.fromarray(pixels), **options)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}], ids=str)
@pytest.mark.parametrize("size", [(64, 48), (1600, 70)])
def test_a_file_with_all_pixels_needs_no_end(options: dict[str, object], size: tuple[int, int]) -> None:
    data = noisy(size, **options)
    for end in (b"", b"\xff", bytes(100)):
        np.testing.assert_array_equal(decode(data[:-2] + end), decode(data))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}], ids=str)
def test_a_file_without_its_last_pixels_is_truncated(options: dict[str, object]) -> None:
    data = noisy(**options)
    for missing in (4, 6, 10, 100, len(data) // 2):
        with pytest.raises(UnreadablePicture, match="truncated"):
            decode(data[:-missing])


def test_the_pictures_of_an_mpo_file_are_counted() -> None:
    picture = Image.new("RGB", (28, 28), (200, 0, 0))
    file = io.BytesIO()
    picture.save(file, "MPO", save_all=True, append_images=[picture, picture])
    data = file.getvalue()
    assert jpeg.count_frames(data) == 3
    assert jpeg.count_frames(save(picture)) == 1
    assert jpeg.count_frames(data + b'hdrgm:Version="1.0"') == 1  # the second picture brightens the first
    with pytest.raises(struct.error):
        jpeg.count_frames(data[: data.index(b"MPF\0") + 10])
