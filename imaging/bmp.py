"""BMP files: parse the header and decompress run-length encoding. Knows nothing of what the picture shows.

Pillow decodes the result. It would decompress run lengths byte by byte in Python, which is too slow.
"""

import struct
from typing import NamedTuple

import numpy as np

from imaging.container import Container, check_count

_FILE_HEADER = 14
_OS2_HEADER = 12
_RLE8, _RLE4 = 1, 2
_MAX_RUNS = 400_000
"""They take about a third of a second. A drawing of 24 megapixels has about 100,000 runs."""

_END_OF_LINE, _END, _DELTA = 0, 1, 2
_PAIRS = [bytes(divmod(value, 16)) for value in range(256)]
"""The two 4-bit pixels in each byte."""


class _Header(NamedTuple):
    """The fields used of the file header and of the BITMAPINFOHEADER or one of its successors."""

    pixel_offset: int
    """The offset of the pixels in the file, or 0."""
    size: int
    """The size of the BITMAPINFOHEADER, in bytes."""
    width: int
    height: int
    """Negative if the first row in the file is the top row."""
    bits: int
    compression: int
    colours: int


def inspect(data: bytes) -> Container:
    """Parse the header of the BMP file `data`. Raises struct.error if it is truncated."""
    if struct.unpack_from("<L", data, _FILE_HEADER)[0] == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return Container(width, height, data, width * bits // 8)
    header = _read_header(data)
    row = header.width * header.bits // 8
    decompressed = 3 * header.width * abs(header.height) if header.compression in {_RLE8, _RLE4} else 0
    return Container(header.width, abs(header.height), data, row + decompressed)


def decompress(data: bytes) -> bytes:
    """Return the BMP file `data` with one byte for each pixel, if it has run lengths. Otherwise return it unchanged.

    Raises:
        ValueError: if the file is broken.
        PictureTooLarge: if it has too many runs.

    """
    if struct.unpack_from("<L", data, _FILE_HEADER)[0] == _OS2_HEADER:
        return data
    header = _read_header(data)
    if header.compression not in {_RLE8, _RLE4} or header.bits > 8:
        return data
    colours = header.colours or 1 << header.bits
    palette = _FILE_HEADER + header.size
    palette_end = palette + 4 * colours
    start = palette_end if header.pixel_offset in {0, palette} else header.pixel_offset
    rows = _decompress_rows(data, start, header)
    entries = data[palette : min(palette_end, palette + 1024)].ljust(1024, b"\0")
    info = struct.pack("<LllHHLLllLL", 40, header.width, header.height, 1, 8, 0, 0, 0, 0, 256, 0)
    return b"".join([b"BM", struct.pack("<LLL", 0, 0, _FILE_HEADER + 40 + 1024), info, entries, rows])


def _read_header(data: bytes) -> _Header:
    (pixel_offset, size, width, height, _, bits, compression) = struct.unpack_from("<LLLlHHL", data, 10)
    (colours,) = struct.unpack_from("<L", data, 46)
    return _Header(pixel_offset, size, width, height, bits, compression, colours)


def _decompress_rows(data: bytes, start: int, header: _Header) -> bytes:
    """Return the rows of pixels whose runs begin at the offset `start`, each row padded to a multiple of four bytes."""
    width, height = header.width, abs(header.height)
    pixels = _decompress_pixels(data, start, width, width * height, nibbles=header.compression == _RLE4)
    if len(pixels) < width * height:
        message = "its runs contain fewer pixels than its header announces"
        raise ValueError(message)
    padding = -width % 4
    if not padding:
        return bytes(memoryview(pixels)[: width * height])
    rows = np.zeros((height, width + padding), np.uint8)
    rows[:, :width] = np.frombuffer(pixels, np.uint8, width * height).reshape(height, width)
    return rows.tobytes()


def _decompress_pixels(data: bytes, at: int, width: int, size: int, *, nibbles: bool) -> bytearray:
    """Return the pixels of the runs from the offset `at` on; fewer than `size` if the runs contain fewer."""
    pixels = bytearray()
    column, runs = 0, 0
    while len(pixels) < size and at + 1 < len(data):
        check_count(runs := runs + 1, _MAX_RUNS, "runs")
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            count = min(count, max(0, width - column))
            pixels += (_PAIRS[value] * 128)[:count] if nibbles else data[at - 1 : at] * count
            column += count
        elif value == _END_OF_LINE:
            pixels += bytes(-len(pixels) % width)
            column = 0
        elif value == _END:
            break
        elif value == _DELTA:
            right, up = data[at], data[at + 1]
            at += 2
            pixels += bytes(min(size - len(pixels), right + up * width))
            column = len(pixels) % width
        else:
            length = (value + 1) // 2 if nibbles else value
            literal = data[at : at + length]
            pixels += b"".join(map(_PAIRS.__getitem__, literal))[:value] if nibbles else literal
            column += value
            at += length
            at += at % 2
    return pixels
