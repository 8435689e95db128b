"""Broken and crafted files of every format are preprocessed or raise a PictureError, and raise nothing else."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imaging import PictureError, PictureTooLarge, PreprocessedPicture, count_frames, preprocess_picture
from tests.imaging import heif_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of broken EXIF and continues


def draw(mode: str, side: int = 40) -> Image.Image:
    picture = Image.new("L", (side, side), 230)
    ImageDraw.Draw(picture).line([(10, 10), (30, 10), (18, 34)], fill=20, width=4)
    if mode == "RGBA":
        picture.putalpha(picture.point(lambda value: 255 - value))
    return picture.convert(mode)


def save(name: str, mode: str = "L", **options: object) -> bytes:
    file = io.BytesIO()
    draw(mode).save(file, name, **options)
    return file.getvalue()


def tiny_png() -> bytes:
    file = io.BytesIO()
    draw("L").resize((28, 28)).save(file, "PNG")
    return file.getvalue()


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return save("JPEG", "RGB", exif=exif)


def heif(name: str, mode: str, **options: object) -> bytes:
    return heif_files.save(heif_files.drawing(mode, (72, 72)), name, quality=50, **options)


FILES = {
    "tiny png": tiny_png(),
    "png": save("PNG"),
    "png rgba": save("PNG", "RGBA"),
    "png palette": save("PNG", "P", transparency=0),
    "png 1 bit": save("PNG", "1"),
    "apng": save("PNG", "RGB", save_all=True, append_images=[draw("RGB")]),
    "jpeg": save("JPEG", "RGB"),
    "jpeg progressive": save("JPEG", "L", progressive=True),
    "jpeg cmyk": save("JPEG", "CMYK"),
    "jpeg exif": with_exif(),
    "mpo": save("MPO", "RGB", save_all=True, append_images=[draw("RGB")]),
    "gif": save("GIF", "P", save_all=True, append_images=[draw("P")]),
    "bmp": save("BMP", "RGB"),
    "tiff": save("TIFF", "RGB"),
    "tiff deflate": save("TIFF", "LAB", compression="tiff_adobe_deflate"),
    "tiff lzw": save("TIFF", "L", compression="tiff_lzw"),
    "tiff g4": save("TIFF", "1", compression="group4"),
    "webp": save("WEBP", "RGB"),
    "webp lossless": save("WEBP", "RGBA", lossless=True),
    "webp animated": save("WEBP", "RGB", save_all=True, append_images=[draw("RGB").rotate(9)]),
    "pbm": save("PPM", "1"),
    "pgm": save("PPM", "L"),
    "ppm": save("PPM", "RGB"),
    "heic": heif("HEIF", "RGB"),
    "heic transparent": heif("HEIF", "RGBA"),
    "heic grid": heif("HEIF", "L", tile_size=64),
    "avif": heif("AVIF", "RGB"),
    "avif transparent": heif("AVIF", "RGBA"),
    "plain pgm": b"P2 4 4 255\n" + b"200 " * 15 + b"0",
}

files = st.sampled_from(sorted(FILES)).map(FILES.__getitem__)


def preprocess(data: bytes) -> PreprocessedPicture | PictureError:
    assert count_frames(data) >= 1
    try:
        picture = preprocess_picture(data, max_pixels=1_000_000)
    except PictureError as error:
        return error
    assert picture.image.shape == (28, 28)
    assert picture.image.dtype == np.uint8
    return picture


@pytest.mark.parametrize("name", FILES)
def test_every_whole_file_is_preprocessed(name: str) -> None:
    assert isinstance(preprocess(FILES[name]), PreprocessedPicture)


@settings(max_examples=3 * settings.default.max_examples)
@given(files, st.floats(0, 1))
def test_a_truncated_file(data: bytes, share: float) -> None:
    preprocess(data[: int(share * len(data))])


@settings(max_examples=6 * settings.default.max_examples)
@given(files, st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_file_with_bytes_changed(data: bytes, changes: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for place, value in changes:
        changed[int(place * len(data))] = value
    preprocess(bytes(changed))


@settings(max_examples=3 * settings.default.max_examples)
@given(files, st.floats(0, 1), st.integers(0, 255), st.integers(1, 300))
def test_a_file_with_bytes_inserted(data: bytes, place: float, value: int, count: int) -> None:
    at = int(place * len(data))
    preprocess(data[:at] + bytes([value]) * count + data[at:])


@settings(max_examples=2 * settings.default.max_examples)
@given(files.flatmap(lambda data: st.tuples(st.just(data[:12]), st.binary(max_size=200))))
@example((b"", b""))
def test_the_beginning_of_a_file_with_any_bytes_behind(parts: tuple[bytes, bytes]) -> None:
    preprocess(b"".join(parts))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def crafted_png(width: int, height: int, depth: int, colour: int, interlace: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = zlib.compress(pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@settings(max_examples=3 * settings.default.max_examples)
@given(
    st.integers(0, 2**32 - 1) | st.integers(0, 64),
    st.integers(0, 2**32 - 1) | st.integers(0, 64),
    st.sampled_from([1, 2, 4, 8, 16, 3, 0]),
    st.sampled_from([0, 2, 3, 4, 6, 1]),
    st.integers(0, 1),
    st.binary(max_size=600),
)
@example(28, 28, 8, 0, 0, b"")
@example(28, 28, 8, 0, 0, bytes(29 * 28))
@example(28, 28, 8, 0, 0, bytes(29 * 27))
@example(100_000, 100_000, 8, 0, 0, b"")
def test_a_crafted_png(width: int, height: int, depth: int, colour: int, interlace: int, pixels: bytes) -> None:
    preprocess(crafted_png(width, height, depth, colour, interlace, pixels))


@pytest.mark.parametrize("side", [2_000, 12_000, 30_000, 100_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    assert isinstance(preprocess(crafted_png(side, side, 8, 2, 0, b"")), PictureTooLarge)


@settings(max_examples=2 * settings.default.max_examples)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from(["L", "RGB", "RGBA", "I;16"]))
def test_pixels_of_any_shape_and_value(width: int, height: int, seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "I;16": ()}[mode]
    top = rng.integers(1, 65536 if mode == "I;16" else 256)
    pixels = rng.integers(0, top, (height, width, *channels)).astype(np.uint16 if mode == "I;16" else np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert isinstance(preprocess(file.getvalue()), PreprocessedPicture)


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (600, 1), (3, 900), (900, 7)])
def test_the_narrowest_pictures(size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)).save(file, "PNG")
    assert isinstance(preprocess(file.getvalue()), PreprocessedPicture)
