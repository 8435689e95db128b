"""HEIC and AVIF files for tests, and changes to their boxes."""

import io
import struct

import pillow_heif
from PIL import Image, ImageDraw

from imaging import heif

pillow_heif.register_heif_opener()


def drawing(mode: str = "RGB", size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Return a picture without symmetry: dark lines on light grey."""
    picture = Image.new("L", size, 230)
    ImageDraw.Draw(picture).line([(10, 10), (60, 10), (18, 50)], fill=20, width=6)
    if mode == "RGBA":
        ink = picture.point(lambda value: 255 if value < 128 else 0)
        return Image.merge("RGBA", (*[Image.new("L", size)] * 3, ink))
    return picture.convert(mode)


def save(picture: Image.Image, name: str, **options: object) -> bytes:
    """Return `picture` as a file of the format with this name in Pillow: HEIF or AVIF."""
    file = io.BytesIO()
    picture.save(file, name, **{"quality": 90, **options})
    return file.getvalue()


def with_size(data: bytes, old: tuple[int, int], new: tuple[int, int]) -> bytes:
    """Replace the announced size of the items (`ispe`)."""
    before, after = (b"ispe" + bytes(4) + struct.pack(">LL", *size) for size in (old, new))
    assert before in data
    return data.replace(before, after)


def with_properties(data: bytes, *properties: bytes) -> bytes:
    """Return a file with the primary picture of `data`, and with more properties of it."""
    meta = heif._parse_meta(data)
    picture = heif._collect(meta, meta.primary)
    picture.items[-1].properties.extend(properties)
    return heif._build_file(picture, None)
