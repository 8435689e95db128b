"""PNG files: parse the chunks, and decode plain files fast. Knows nothing of ink.

A plain file is what browsers and drawing programs write: 8 bits for each channel, no palette, no interlacing, and no
chunk that changes the pixels.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray

from imaging.container import Container, check_count
from imaging.exif import find_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PLAIN_CHUNKS = {b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"tEXt"}
_EXIF_TEXT_KEYWORD = b"Raw profile type"
"""The beginning of the keyword of a text that contains EXIF, and therefore may contain the orientation."""
_PLAIN_MODES = {bytes((8, 0, 0, 0, 0)): "mono", bytes((8, 2, 0, 0, 0)): "rgb", bytes((8, 6, 0, 0, 0)): "rgba"}
"""The decoder's name of each plain mode, by the header's bytes after the size: 8 bits a channel, not interlaced."""

_FIRST_CHUNK = len(SIGNATURE) + 25
"""The offset of the first chunk after the header."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""The number of channels of each colour type."""
_MAX_CHUNKS = 50_000
_MAX_PLAIN_CHUNKS = 1_000
"""Browsers and drawing programs write one chunk of pixels, or one for every 8 kB."""
_CHUNK_OVERHEAD = 12
"""The bytes of a chunk without content: its length, name and checksum."""
_CHEAP_CHUNKS = 100
"""The most chunks of a file that is cheap to decode."""
_MAX_BYTES_OF_FEW_CHUNKS = _CHUNK_OVERHEAD * _CHEAP_CHUNKS
"""A file of at most this many bytes has no more than `_CHEAP_CHUNKS` chunks."""
_MIN_BYTES_OF_MANY_BLOCKS = 4096
"""A file of this size may contain three hundred empty deflate blocks, which take half a millisecond to skip."""
_CHEAP_SIDE = 640
"""The longest side of a picture that is cheap to decode, in pixels."""
_MAX_TEXT_BYTES = 1 << 18
"""The bytes of a text that are decompressed: the orientation is near its beginning."""
_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = b"Raw profile type exif"
_EXIF_KEYWORD = b"exif"
_KEYWORD = re.compile(rb"(XML:com\.adobe\.xmp|Raw profile type exif|exif)\0")
"""The keywords of the texts that may contain the orientation."""


def read_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in the header of the PNG file `data`, in pixels, or None if it is truncated."""
    offset = len(SIGNATURE) + 8
    return struct.unpack_from(">II", data, offset) if len(data) >= offset + 8 else None


def decode_plain(data: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of the PNG file `data`, uint8 (h, w), (h, w, 3) RGB or (h, w, 4) RGBA, if it is plain.

    Return None if it is not plain or is broken: Pillow, which is several times slower, decodes such a file or finds
    its error.
    """
    mode = _PLAIN_MODES.get(data[24:29])
    size = read_size(data)
    if mode is None or size is None or not _has_plain_chunks(data):
        return None
    try:
        pixels: NDArray[np.uint8] = decode_image_png_u8(data, size[::-1], mode)
    except Exception:  # noqa: BLE001 - it raises nothing narrower
        return None
    return pixels[..., 0] if mode == "mono" else pixels


def is_cheap(data: bytes, max_pixels: int) -> bool:
    """Tell whether the PNG file `data` has at most `max_pixels` pixels and few chunks, or a truncated header.

    A file with a truncated header is refused at once. In the modes that Pillow decodes, a third of the pixels are
    allowed.
    """
    size = read_size(data)
    if size is None:
        return True
    width, height = size
    if data[24:29] not in _PLAIN_MODES:
        max_pixels //= 3
    if width * height > max_pixels or width > _CHEAP_SIDE or height > _CHEAP_SIDE:
        return False
    if len(data) <= _MAX_BYTES_OF_FEW_CHUNKS:
        return True
    if len(data) > _MIN_BYTES_OF_MANY_BLOCKS and len(data) > 2 * _raw_bytes(data, width, height):
        return False  # most of the file is not pixels
    return _has_few_chunks(data)


def _has_few_chunks(data: bytes) -> bool:
    at = len(SIGNATURE)
    for _ in range(_CHEAP_CHUNKS):
        if at + _CHUNK_OVERHEAD > len(data):
            return True
        at += _CHUNK_OVERHEAD + int.from_bytes(data[at : at + 4], "big")
    return False


def _raw_bytes(data: bytes, width: int, height: int) -> int:
    """Return the size of the pixels before compression, in bytes, without the filter byte of each row."""
    return width * height * _CHANNELS.get(data[25], 4) * data[24] // 8


def inspect(data: bytes) -> Container:
    """Parse the chunks of the PNG file `data`. Of an animated file, the default image is used.

    Raises:
        ValueError: if the header is broken.
        PictureTooLarge: if there are too many chunks.

    """
    size = read_size(data)
    if size is None or data[12:16] != b"IHDR" or len(data) < _FIRST_CHUNK:
        message = "its header is invalid"
        raise ValueError(message)
    depth, colour = data[24], data[25]
    chunks = _parse_chunks(data)
    pixels = b"".join(chunks.pixels)
    file = [data[:_FIRST_CHUNK], *chunks.colours, struct.pack(">I", len(pixels)), b"IDAT", pixels, bytes(4), _END]
    row = size[0] * depth * _CHANNELS.get(colour, 4) // 8 + 2
    orientation = find_orientation(chunks.find_exif(), chunks.find_text(_XMP))
    return Container(*size, b"".join(file), 2 * row, orientation)


def count_frames(data: bytes) -> int:
    """Return the number of frames that the PNG file `data` announces before its pixels: 1 unless it is animated."""
    at = data.find(b"acTL", _FIRST_CHUNK, data.find(b"IDAT"))
    is_chunk = at > 0 and data[at - 4 : at] == b"\0\0\0\x08"
    return int.from_bytes(data[at + 4 : at + 8], "big") if is_chunk else 1


class _Chunks(NamedTuple):
    """The chunks of a file that are used."""

    colours: list[bytes]
    """The whole chunks of the palette (PLTE) and of the transparency (tRNS)."""
    pixels: list[memoryview]
    """The contents of the first consecutive chunks of pixels (IDAT)."""
    texts: dict[bytes, tuple[bytes, bytes]]
    """The name and the content of the last text chunk with each keyword that may contain the orientation."""
    exif: list[bytes]
    """The contents of the EXIF chunks (eXIf)."""

    def find_exif(self) -> bytes:
        """Return the EXIF, from an EXIF chunk or a text, or nothing."""
        if self.exif:
            return self.exif[-1]
        if _EXIF_KEYWORD in self.texts:
            return self.find_text(_EXIF_KEYWORD)
        lines = self.find_text(_RAW_EXIF).split(b"\n", 3)
        digits = b"".join(lines[3:]).translate(None, b"\n\r\t ")
        try:
            return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
        except ValueError:
            return b""

    def find_text(self, keyword: bytes) -> bytes:
        """Return the beginning of the text with `keyword`, decompressed, or nothing."""
        name, content = self.texts.get(keyword, (b"tEXt", b""))
        if name == b"tEXt":
            return content[:_MAX_TEXT_BYTES]
        if name == b"zTXt":
            return _inflate(content[1:])
        text = b"".join(content[2:].split(b"\0", 2)[2:])
        return _inflate(text) if content[:1] == b"\1" else text[:_MAX_TEXT_BYTES]


def _parse_chunks(data: bytes) -> _Chunks:
    chunks = _Chunks([], [], {}, [])
    pixels_ended = False
    for name, start, end in _iterate_chunks(data, _FIRST_CHUNK, _MAX_CHUNKS):
        if name == b"IEND":
            break
        if name == b"IDAT" and not pixels_ended:
            chunks.pixels.append(memoryview(data)[start:end])
            continue
        pixels_ended = bool(chunks.pixels)
        if name in {b"PLTE", b"tRNS"} and not pixels_ended:
            chunks.colours.append(data[start - 8 : end + 4])
        elif name == b"eXIf":
            chunks.exif.append(data[start:end])
        elif name in {b"tEXt", b"zTXt", b"iTXt"} and (keyword := _KEYWORD.match(data, start, end)):
            chunks.texts[keyword[1]] = name, data[keyword.end() : end]
    return chunks


def _iterate_chunks(data: bytes, at: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, and the start and end of its content."""
    count = 0
    while at + 8 <= len(data):
        check_count(count := count + 1, limit, "chunks")
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, min(end, len(data))
        at = end + 4


def _inflate(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _MAX_TEXT_BYTES)
    except zlib.error:
        return b""


def _has_plain_chunks(data: bytes) -> bool:
    """Tell whether the PNG file `data` is complete, with nothing after its end, and no chunk changes the pixels."""
    start = len(SIGNATURE)
    for _ in range(_MAX_PLAIN_CHUNKS):
        if start + _CHUNK_OVERHEAD > len(data):
            break
        if data[start + 4 : start + 8] not in _PLAIN_CHUNKS or data.startswith(_EXIF_TEXT_KEYWORD, start + 8):
            return False
        start += _CHUNK_OVERHEAD + int.from_bytes(data[start : start + 4], "big")
    return start == len(data) and data.endswith(_END)
