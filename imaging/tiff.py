"""TIFF and BigTIFF files: the first directory (TIFF 6.0), and what decoding its picture needs.

Knows nothing of how pixels are decoded. The directory is written anew, with the tags alone that a decoder needs: one
with thousands of entries, which may all hold the same megabytes, is read in no more time than another.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from imaging.container import Container, check_count
from imaging.errors import PictureTooLarge, UnsupportedPicture
from imaging.exif import find_orientation

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _PLANES = 273, 274, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _EXTRA_SAMPLES, _XMP = 322, 323, 324, 338, 700

_SCALARS = {_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, 266, _SAMPLES, _ROWS_PER_STRIP, _PLANES, 292, 293, 317}
_LISTS = {_BITS, _EXTRA_SAMPLES, 320, 339, 347, 529, 530, 531, 532}
"""Palette, sample formats, tables of JPEG, the numbers of YCbCr."""
_LENGTHS = {279, 325}
_PLACES = {_STRIP_OFFSETS, _TILE_OFFSETS} | _LENGTHS
"""Where strips and tiles are, and how long."""
_NEEDED = _SCALARS | _LISTS | _PLACES | {_TILE_WIDTH, _TILE_HEIGHT}

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""How many bytes a value of each type has."""
_INTEGERS = {1: "B", 3: "H", 4: "L", 16: "Q"}

_READ = {1: "none", 2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits"}
_OLD_DEFLATE = 32946
_YCBCR = 6
_CCITT = {2, 3, 4}
_CCITT_BYTES = 16
"""What its decoder holds for each pixel of a row."""

_MOST_ENTRIES = 4096
_MOST_BLOCKS = 20_000
"""Strips or tiles. Pillow has a Python loop over those that are not compressed."""
_MOST_LIST_BYTES = 1 << 17
_MOST_BLOCK_BYTES = 250_000_000
"""What all strips or tiles unfold to, with what sticks out of the picture. Some 200 MB a second."""

_Values = tuple[int, bytes]
"""Their type, and the bytes of all of them."""


class _Format(NamedTuple):
    """How numbers are written: of TIFF or of BigTIFF, and in which order of bytes."""

    order: str
    is_big: bool

    @property
    def length(self) -> str:
        return self.order + ("Q" if self.is_big else "H")

    @property
    def entry(self) -> str:
        return self.order + ("HHQ8s" if self.is_big else "HHL4s")

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.is_big else "L")


class _Blocks(NamedTuple):
    """The strips or tiles."""

    width: int
    height: int
    number: int


def inspect(data: bytes) -> Container:
    """Return the facts of the first picture in the TIFF file `data`.

    Raises ValueError or struct.error where its directory is broken, UnsupportedPicture for a rare compression, and
    PictureTooLarge for too many entries, strips or tiles.
    """
    format_ = _Format("<" if data.startswith(b"II") else ">", data[2:4] in {b"+\0", b"\0+"})
    tags = _read_directory(data, format_)
    numbers = {tag: _first(tags[tag], format_) for tag in tags if tag in _NEEDED | {_ORIENTATION}}
    width, height = numbers.get(_WIDTH, 0), numbers.get(_HEIGHT, 0)
    if not width or not height:
        message = "its directory names no size"
        raise ValueError(message)
    buffers = _measure_buffers(width, height, numbers, tags, format_)
    _check_sum(tags, format_, len(data))
    orientation = numbers.get(_ORIENTATION) or find_orientation(b"", tags.get(_XMP, (0, b""))[1])
    needed = {tag: values for tag, values in tags.items() if tag in _NEEDED}
    return Container(width, height, _with_directory(data, needed, format_), buffers, orientation)


def _read_directory(data: bytes, format_: _Format) -> dict[int, _Values]:
    """Return the tags of the first directory that are needed: of each, the first entry."""
    (start,) = struct.unpack_from(format_.offset, data, 8 if format_.is_big else 4)
    (count,) = struct.unpack_from(format_.length, data, start)
    check_count(count, _MOST_ENTRIES, "entries in its directory")
    size = struct.calcsize(format_.entry)
    start += struct.calcsize(format_.length)
    entries = data[start : start + count * size]
    tags: dict[int, _Values] = {}
    for tag, type_, length, value in struct.iter_unpack(format_.entry, entries[: len(entries) // size * size]):
        if tag not in tags and tag in _NEEDED | {_ORIENTATION, _XMP} and type_ in _SIZES:
            values = _read_values(data, tag, length * _SIZES[type_], value, format_)
            if values is not None:
                tags[tag] = type_, values
    return tags


def _read_values(data: bytes, tag: int, size: int, value: bytes, format_: _Format) -> bytes | None:
    if size <= len(value):
        return value[:size] or None
    if tag != _XMP:
        limit = _MOST_LIST_BYTES if tag in _LISTS else 8 * _MOST_BLOCKS
        check_count(size, limit, f"bytes in the entry of tag {tag}")
    (start,) = struct.unpack(format_.offset, value)
    values = data[start : start + size]
    return values if len(values) == size else None


def _first(values: _Values, format_: _Format) -> int:
    type_, content = values
    code = _INTEGERS.get(type_)
    return struct.unpack_from(format_.order + code, content)[0] if code else 0


def _all(values: _Values, format_: _Format) -> tuple[int, ...]:
    type_, content = values
    code = _INTEGERS.get(type_)
    if code is None:
        return ()
    return struct.unpack(f"{format_.order}{len(content) // _SIZES[type_]}{code}", content)


def _measure_buffers(
    width: int, height: int, numbers: Mapping[int, int], tags: Mapping[int, _Values], format_: _Format
) -> int:
    """Return how many bytes the decoder needs beside the picture: a strip or tile, unfolded."""
    compression = numbers.get(_COMPRESSION, 1)
    if compression not in _READ and compression != _OLD_DEFLATE:
        names = ", ".join(dict.fromkeys(_READ.values()))
        message = f"The TIFF file has compression {compression}, which is not read. Save it with one of {names}."
        raise UnsupportedPicture(message)
    samples = numbers.get(_SAMPLES) or (3 if compression == 7 else 1)
    check_count(samples, 8, "samples in a pixel")
    bits = max(_all(tags[_BITS], format_) if _BITS in tags else (1,), default=1)
    check_count(bits, 64, "bits in a sample")
    planes = samples if numbers.get(_PLANES) == 2 else 1
    blocks = _measure_blocks(width, height, numbers)
    check_count(blocks.number * planes, _MOST_BLOCKS, "strips or tiles")
    pixel_bits = samples // planes * bits
    block = -(-blocks.width * pixel_bits // 8) * blocks.height
    if block * blocks.number * planes > _MOST_BLOCK_BYTES:
        message = (
            f"The strips or tiles of the TIFF file unfold to {block * blocks.number * planes:,} bytes, too many to be "
            "read in time. Send the picture smaller, or as PNG or JPEG."
        )
        raise PictureTooLarge(message)
    if compression == 1:
        row = block // blocks.height
        places = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS)
        rows = blocks.height if _is_tiled(numbers) else height % blocks.height or blocks.height
        _check_apart(_all(places, format_) if places else (), blocks.number, block, row * rows)
        return row
    if numbers.get(_PHOTOMETRIC) == _YCBCR:
        block = block * planes + 4 * blocks.width * blocks.height
    return block + (_CCITT_BYTES * blocks.width if compression in _CCITT else 0)


def _check_apart(offsets: tuple[int, ...], number: int, block: int, last: int) -> None:
    """Raise ValueError where strips or tiles overlap that are not compressed: Pillow reads them in tiny steps.

    All are `block` bytes long, and of each plane of `number` the last one is `last` bytes long.
    """
    places = np.array(offsets, np.uint64).astype(np.float64)
    lengths = np.full(len(places), block, np.float64)
    lengths[number - 1 :: number] = last
    order = np.lexsort((lengths, places))
    gaps = np.diff(places[order])
    if ((gaps > 0) & (gaps < lengths[order][:-1])).any():
        message = "its strips or tiles overlap"
        raise ValueError(message)


def _check_sum(tags: Mapping[int, _Values], format_: _Format, size: int) -> None:
    """Raise ValueError where strips or tiles have more bytes than the file: they share some, unfolded over and over."""
    lengths = [sum(_all(tags[tag], format_)) for tag in _LENGTHS if tag in tags]
    if max(lengths, default=0) > size:
        message = "its strips or tiles overlap"
        raise ValueError(message)


def _is_tiled(numbers: Mapping[int, int]) -> bool:
    return _STRIP_OFFSETS not in numbers and _TILE_OFFSETS in numbers


def _measure_blocks(width: int, height: int, numbers: Mapping[int, int]) -> _Blocks:
    if not _is_tiled(numbers):
        rows = min(numbers.get(_ROWS_PER_STRIP) or height, height)
        return _Blocks(width, rows, -(-height // rows))
    across, down = numbers.get(_TILE_WIDTH, 0), numbers.get(_TILE_HEIGHT, 0)
    if not across or not down:
        message = "its tiles have no size"
        raise ValueError(message)
    return _Blocks(across, down, -(-width // across) * -(-height // down))


def _with_directory(data: bytes, tags: Mapping[int, _Values], format_: _Format) -> bytes:
    """Return the file `data` with one directory, of `tags`, behind all else."""
    offset_size = struct.calcsize(format_.offset)
    start = len(data) + len(data) % 2
    behind = start + struct.calcsize(format_.length) + len(tags) * struct.calcsize(format_.entry) + offset_size
    entries, contents = [struct.pack(format_.length, len(tags))], []
    for tag, (type_, content) in sorted(tags.items()):
        values = content[: _SIZES[type_]] if tag in _SCALARS else content
        value = values
        if len(values) > offset_size:
            value = struct.pack(format_.offset, behind)
            contents.append(values + bytes(len(values) % 2))
            behind += len(contents[-1])
        entries.append(struct.pack(format_.entry, tag, type_, len(values) // _SIZES[type_], value))
    place = 8 if format_.is_big else 4
    parts = [data[:place], struct.pack(format_.offset, start), data[place + offset_size :], bytes(len(data) % 2)]
    return b"".join([*parts, *entries, bytes(offset_size), *contents])
