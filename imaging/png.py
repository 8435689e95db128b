"""PNG files: their chunks up to the pixels, and plain ones, as browsers and drawing programs write them, opened fast.

Knows nothing of ink.
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
_EXIF_AS_TEXT = b"Raw profile type"
"""How a text begins that holds which way up the picture is."""
_MODES = {bytes((8, 0, 0, 0, 0)): "mono", bytes((8, 2, 0, 0, 0)): "rgb", bytes((8, 6, 0, 0, 0)): "rgba"}
"""What the header says after the size, of eight bits for each channel and not interlaced."""

_FIRST_CHUNK = len(SIGNATURE) + 25
"""Where the first chunk behind the header begins."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""How many each type of colour has."""
_MOST_CHUNKS = 50_000
_MOST_PLAIN_CHUNKS = 1_000
"""The programs that are meant write a chunk for every 8 kB, or one for all."""
_CHUNK_BYTES = 12
"""Of a chunk without content."""
_MOST_LIGHT_CHUNKS = 100
_LEAST_BYTES_OF_MANY_CHUNKS = _CHUNK_BYTES * _MOST_LIGHT_CHUNKS
_LEAST_BYTES_OF_MANY_BLOCKS = 4096
"""Three hundred empty blocks of compressed data, which take half a millisecond to be passed over."""
_LONGEST_LIGHT_SIDE = 640
_MOST_TEXT_BYTES = 1 << 18
"""Of a text, unfolded: what is looked for stands at its beginning."""
_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = b"Raw profile type exif"
_EXIF_KEYWORD = b"exif"
_KEYWORD = re.compile(rb"(XML:com\.adobe\.xmp|Raw profile type exif|exif)\0")
"""Of the texts that may say which way up the picture is."""


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that the header of the PNG `data` says, or None if it is cut short."""
    size = len(SIGNATURE) + 8
    return struct.unpack_from(">II", data, size) if len(data) >= size + 8 else None


def open_plain(data: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of the PNG `data`, uint8 (h, w), (h, w, 3) RGB or (h, w, 4) RGBA, if it is plain and whole.

    Otherwise return None: Pillow opens what is left, several times slower, or says what is wrong with it.
    """
    mode = _MODES.get(data[24:29])
    size = size_of(data)
    if mode is None or size is None or not _has_plain_chunks(data):
        return None
    try:
        pixels: NDArray[np.uint8] = decode_image_png_u8(data, size[::-1], mode)
    except Exception:  # noqa: BLE001 - it raises nothing narrower
        return None
    return pixels[..., 0] if mode == "mono" else pixels


def is_light(data: bytes, pixels: int) -> bool:
    """Tell whether the PNG `data` has at most so many `pixels` and few chunks, or is refused by its header.

    A third of the pixels are allowed in the modes that Pillow decodes.
    """
    size = size_of(data)
    if size is None:
        return True
    width, height = size
    if data[24:29] not in _MODES:
        pixels //= 3
    if width * height > pixels or width > _LONGEST_LIGHT_SIDE or height > _LONGEST_LIGHT_SIDE:
        return False
    if len(data) <= _LEAST_BYTES_OF_MANY_CHUNKS:
        return True
    if len(data) > _LEAST_BYTES_OF_MANY_BLOCKS and len(data) > 2 * _raw_bytes(data, width, height):
        return False  # it holds what is no pixel
    return _has_few_chunks(data)


def _has_few_chunks(data: bytes) -> bool:
    at = len(SIGNATURE)
    for _ in range(_MOST_LIGHT_CHUNKS):
        if at + _CHUNK_BYTES > len(data):
            return True
        at += _CHUNK_BYTES + int.from_bytes(data[at : at + 4], "big")
    return False


def _raw_bytes(data: bytes, width: int, height: int) -> int:
    """Return how many bytes the pixels have, without the filters of the rows."""
    return width * height * _CHANNELS.get(data[25], 4) * data[24] // 8


def inspect(data: bytes) -> Container:
    """Return the facts of the PNG file `data`; of an animated one, its default image's.

    Raises ValueError where its header is broken, and PictureTooLarge for too many chunks.
    """
    size = size_of(data)
    if size is None or data[12:16] != b"IHDR" or len(data) < _FIRST_CHUNK:
        message = "its beginning makes no sense"
        raise ValueError(message)
    depth, colour = data[24], data[25]
    parts = _read_parts(data)
    pixels = b"".join(parts.pixels)
    file = [data[:_FIRST_CHUNK], *parts.colours, struct.pack(">I", len(pixels)), b"IDAT", pixels, bytes(4), _END]
    row = size[0] * depth * _CHANNELS.get(colour, 4) // 8 + 2
    orientation = find_orientation(parts.find_exif(), parts.find_text(_XMP))
    return Container(*size, b"".join(file), 2 * row, orientation)


class _Parts(NamedTuple):
    """What is used of the chunks of a file."""

    colours: list[bytes]
    """Whole chunks: the palette and what is transparent."""
    pixels: list[memoryview]
    """Contents of chunks that follow one another."""
    texts: dict[bytes, tuple[bytes, bytes]]
    """By its keyword, the kind of chunk and the content of the last text of those that are looked for."""
    exif: list[bytes]

    def find_exif(self) -> bytes:
        """Return the EXIF, by whichever way a program has put it in; empty if there is none."""
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
        """Return the beginning of the text with `keyword`, or nothing."""
        name, content = self.texts.get(keyword, (b"tEXt", b""))
        if name == b"tEXt":
            return content[:_MOST_TEXT_BYTES]
        if name == b"zTXt":
            return _inflate(content[1:])
        text = b"".join(content[2:].split(b"\0", 2)[2:])
        return _inflate(text) if content[:1] == b"\1" else text[:_MOST_TEXT_BYTES]


def _read_parts(data: bytes) -> _Parts:
    parts = _Parts([], [], {}, [])
    is_behind = False
    for name, start, end in _chunks(data, _FIRST_CHUNK, _MOST_CHUNKS):
        if name == b"IEND":
            break
        if name == b"IDAT" and not is_behind:
            parts.pixels.append(memoryview(data)[start:end])
            continue
        is_behind = bool(parts.pixels)
        if name in {b"PLTE", b"tRNS"} and not is_behind:
            parts.colours.append(data[start - 8 : end + 4])
        elif name == b"eXIf":
            parts.exif.append(data[start:end])
        elif name in {b"tEXt", b"zTXt", b"iTXt"} and (keyword := _KEYWORD.match(data, start, end)):
            parts.texts[keyword[1]] = name, data[keyword.end() : end]
    return parts


def _chunks(data: bytes, at: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Go through the name of each chunk, and where its content begins and ends."""
    count = 0
    while at + 8 <= len(data):
        check_count(count := count + 1, limit, "chunks")
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, min(end, len(data))
        at = end + 4


def _inflate(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _MOST_TEXT_BYTES)
    except zlib.error:
        return b""


def _has_plain_chunks(data: bytes) -> bool:
    """Tell whether the PNG `data` is whole, with nothing behind it, and holds no chunk that changes the pixels."""
    start = len(SIGNATURE)
    for _ in range(_MOST_PLAIN_CHUNKS):
        if start + _CHUNK_BYTES > len(data):
            break
        if data[start + 4 : start + 8] not in _PLAIN_CHUNKS or data.startswith(_EXIF_AS_TEXT, start + 8):
            return False
        start += _CHUNK_BYTES + int.from_bytes(data[start : start + 4], "big")
    return start == len(data) and data.endswith(_END)
