"""TIFF and BigTIFF files: parse the first directory (TIFF 6.0), and compute the memory that decoding needs.

Does not decode pixels. The directory is rewritten with only the tags that a decoder needs. Otherwise, thousands of
entries that refer to the same data could slow the decoder down.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from imaging.container import Container, check_count
from imaging.errors import PictureTooLarge, UnsupportedPicture
from imaging.exif import find_orientation

_KIND = 254
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _PLANES = 273, 274, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _EXTRA_SAMPLES, _XMP = 322, 323, 324, 338, 700

_SCALARS = {_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, 266, _SAMPLES, _ROWS_PER_STRIP, _PLANES, 292, 293, 317}
_LISTS = {_BITS, _EXTRA_SAMPLES, 320, 339, 347, 529, 530, 531, 532}
"""Tags with several values: bits, extra samples, palette, sample formats, JPEG tables, and parameters of YCbCr."""
_BYTE_COUNTS = {279, 325}
"""The byte counts of strips and of tiles."""
_BLOCK_TAGS = {_STRIP_OFFSETS, _TILE_OFFSETS} | _BYTE_COUNTS
"""The offsets and byte counts of strips and tiles."""
_NEEDED = _SCALARS | _LISTS | _BLOCK_TAGS | {_TILE_WIDTH, _TILE_HEIGHT}

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""The size of a value of each type, in bytes."""
_INTEGERS = {1: "B", 3: "H", 4: "L", 16: "Q"}
"""The format character of `struct` for each integer type."""

_COMPRESSIONS = {1: "none", 2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits"}
_OLD_DEFLATE = 32946
_YCBCR = 6
_CCITT = {2, 3, 4}
_CCITT_BYTES = 16
"""The memory of the CCITT decoder for each pixel of a row."""

_MAX_ENTRIES = 4096
_MAX_DIRECTORIES = 1000
"""The most pages that are counted."""
_MAX_BLOCKS = 20_000
"""The most strips or tiles. Pillow loops in Python over those that are not compressed."""
_MAX_LIST_BYTES = 1 << 17
"""The most bytes of a tag with several values."""
_MAX_BLOCK_BYTES = 250_000_000
"""The most bytes of all strips or tiles after decompression, with the parts beyond the edges of the picture.

Decompression takes about a second for 200 MB.
"""

_Values = tuple[int, bytes]
"""The type of a tag's values, and the bytes of all of them."""


class _Format(NamedTuple):
    """The byte order, and the format characters of `struct` for the fields of TIFF or BigTIFF."""

    order: str
    is_big: bool
    """Whether the file is a BigTIFF."""

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
    """The size of a strip or tile in pixels, and the number of strips or tiles of a plane."""

    width: int
    height: int
    per_plane: int


def inspect(data: bytes) -> Container:
    """Parse the directory of the first picture in the TIFF file `data`.

    Raises:
        ValueError, struct.error: if the directory is broken.
        UnsupportedPicture: if the compression is not supported.
        PictureTooLarge: if there are too many entries, strips or tiles, or if strips or tiles are too large.

    """
    format_ = _format_of(data)
    tags = _read_directory(data, format_)
    numbers = {tag: _first(tags[tag], format_) for tag in tags if tag in _NEEDED | {_ORIENTATION}}
    width, height = numbers.get(_WIDTH, 0), numbers.get(_HEIGHT, 0)
    if not width or not height:
        message = "its directory contains no width or no height"
        raise ValueError(message)
    buffers = _measure_buffers(width, height, numbers, tags, format_)
    _check_byte_counts(tags, format_, len(data))
    orientation = numbers.get(_ORIENTATION) or find_orientation(b"", tags.get(_XMP, (0, b""))[1])
    needed = {tag: values for tag, values in tags.items() if tag in _NEEDED}
    return Container(width, height, _with_directory(data, needed, format_), buffers, orientation)


def count_frames(data: bytes) -> int:
    """Return the number of pages in the TIFF file `data`, up to 1,000. Previews are not counted.

    Raises struct.error if its header is truncated.
    """
    format_ = _format_of(data)
    offset_size = struct.calcsize(format_.offset)
    (start,) = struct.unpack_from(format_.offset, data, 8 if format_.is_big else 4)
    pages, seen = 0, set[int]()
    while start and start not in seen and len(seen) < _MAX_DIRECTORIES:
        seen.add(start)
        first = start + struct.calcsize(format_.length)
        if first + offset_size > len(data):
            break
        (count,) = struct.unpack_from(format_.length, data, start)
        end = first + count * struct.calcsize(format_.entry)
        pages += not _is_preview(data, first, format_)
        if end + offset_size > len(data):
            break
        (start,) = struct.unpack_from(format_.offset, data, end)
    return max(1, pages)


def _is_preview(data: bytes, first: int, format_: _Format) -> bool:
    """Tell whether the first entry of a directory, whose tags are sorted, says that it is a reduced picture."""
    entry = data[first : first + struct.calcsize(format_.entry)]
    if len(entry) < struct.calcsize(format_.entry):
        return False
    tag, _, _, value = struct.unpack(format_.entry, entry)
    return bool(tag == _KIND and struct.unpack(format_.order + "L", value[:4])[0] & 1)


def _format_of(data: bytes) -> _Format:
    return _Format("<" if data.startswith(b"II") else ">", data[2:4] in {b"+\0", b"\0+"})


def _read_directory(data: bytes, format_: _Format) -> dict[int, _Values]:
    """Return the values of the tags in the first directory that are used. Of several entries, the first is taken."""
    (start,) = struct.unpack_from(format_.offset, data, 8 if format_.is_big else 4)
    (count,) = struct.unpack_from(format_.length, data, start)
    check_count(count, _MAX_ENTRIES, "entries in its directory")
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
        limit = _MAX_LIST_BYTES if tag in _LISTS else 8 * _MAX_BLOCKS
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
    """Return the memory that the decoder needs besides the picture, in bytes: a decompressed strip or tile."""
    compression = numbers.get(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS and compression != _OLD_DEFLATE:
        names = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        message = (
            f"The TIFF file has compression {compression}, which is not supported. Save it with one of these: {names}."
        )
        raise UnsupportedPicture(message)
    samples = numbers.get(_SAMPLES) or (3 if compression == 7 else 1)
    check_count(samples, 8, "samples in a pixel")
    bits = max(_all(tags[_BITS], format_) if _BITS in tags else (1,), default=1)
    check_count(bits, 64, "bits in a sample")
    planes = samples if numbers.get(_PLANES) == 2 else 1
    blocks = _measure_blocks(width, height, numbers)
    check_count(blocks.per_plane * planes, _MAX_BLOCKS, "strips or tiles")
    pixel_bits = samples // planes * bits
    block_bytes = -(-blocks.width * pixel_bits // 8) * blocks.height
    all_bytes = block_bytes * blocks.per_plane * planes
    if all_bytes > _MAX_BLOCK_BYTES:
        message = (
            f"The strips or tiles of the TIFF file decompress to {all_bytes:,} bytes, which takes too long. "
            "Send a smaller picture, or a PNG or JPEG."
        )
        raise PictureTooLarge(message)
    if compression == 1:
        row_bytes = block_bytes // blocks.height
        offsets = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS)
        last_rows = blocks.height if _is_tiled(numbers) else height % blocks.height or blocks.height
        _check_no_overlap(
            _all(offsets, format_) if offsets else (), blocks.per_plane, block_bytes, last_bytes=row_bytes * last_rows
        )
        return row_bytes
    if numbers.get(_PHOTOMETRIC) == _YCBCR:
        block_bytes = block_bytes * planes + 4 * blocks.width * blocks.height
    return block_bytes + (_CCITT_BYTES * blocks.width if compression in _CCITT else 0)


def _check_no_overlap(offsets: tuple[int, ...], count: int, block_bytes: int, *, last_bytes: int) -> None:
    """Raise ValueError if strips or tiles overlap that are not compressed: Pillow would read them in tiny steps.

    Args:
        offsets: The offsets of the strips or tiles of all planes.
        count: The number of strips or tiles of a plane.
        block_bytes: The size of each strip or tile but the last.
        last_bytes: The size of the last strip or tile of each plane.

    """
    starts = np.array(offsets, np.uint64).astype(np.float64)
    lengths = np.full(len(starts), block_bytes, np.float64)
    lengths[count - 1 :: count] = last_bytes
    order = np.lexsort((lengths, starts))
    distances = np.diff(starts[order])
    if ((distances > 0) & (distances < lengths[order][:-1])).any():
        message = "its strips or tiles overlap"
        raise ValueError(message)


def _check_byte_counts(tags: Mapping[int, _Values], format_: _Format, file_bytes: int) -> None:
    """Raise ValueError if strips or tiles have more bytes than the file.

    They then overlap, and the decoder would decompress the same bytes again and again.
    """
    sums = [sum(_all(tags[tag], format_)) for tag in _BYTE_COUNTS if tag in tags]
    if max(sums, default=0) > file_bytes:
        message = "its strips or tiles overlap"
        raise ValueError(message)


def _is_tiled(numbers: Mapping[int, int]) -> bool:
    return _STRIP_OFFSETS not in numbers and _TILE_OFFSETS in numbers


def _measure_blocks(width: int, height: int, numbers: Mapping[int, int]) -> _Blocks:
    if not _is_tiled(numbers):
        rows = min(numbers.get(_ROWS_PER_STRIP) or height, height)
        return _Blocks(width, rows, -(-height // rows))
    tile_width, tile_height = numbers.get(_TILE_WIDTH, 0), numbers.get(_TILE_HEIGHT, 0)
    if not tile_width or not tile_height:
        message = "its tiles have no width or no height"
        raise ValueError(message)
    return _Blocks(tile_width, tile_height, -(-width // tile_width) * -(-height // tile_height))


def _with_directory(data: bytes, tags: Mapping[int, _Values], format_: _Format) -> bytes:
    """Return the file `data` with a single directory, with `tags`, appended to it."""
    offset_size = struct.calcsize(format_.offset)
    start = len(data) + len(data) % 2
    content_offset = start + struct.calcsize(format_.length) + len(tags) * struct.calcsize(format_.entry) + offset_size
    entries, contents = [struct.pack(format_.length, len(tags))], []
    for tag, (type_, content) in sorted(tags.items()):
        values = content[: _SIZES[type_]] if tag in _SCALARS else content
        value = values
        if len(values) > offset_size:
            value = struct.pack(format_.offset, content_offset)
            contents.append(values + bytes(len(values) % 2))
            content_offset += len(contents[-1])
        entries.append(struct.pack(format_.entry, tag, type_, len(values) // _SIZES[type_], value))
    pointer = 8 if format_.is_big else 4  # the offset of the directory's offset
    parts = [data[:pointer], struct.pack(format_.offset, start), data[pointer + offset_size :], bytes(len(data) % 2)]
    return b"".join([*parts, *entries, bytes(offset_size), *contents])
