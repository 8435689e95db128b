"""PBM, PGM and PPM files (Netpbm's pbm(5), pgm(5) and ppm(5)), binary and plain: parse and decode them.

Knows nothing of what the picture shows. Pillow would parse comments and plain files, whose pixels are text, byte by
byte in Python, which is too slow.
"""

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.container import Container, check_count

_MAX_HEADER_BYTES = 1 << 16
"""The longest header, with its comments."""
_MAX_COMMENTS = 100_000
"""The most comments among the pixels of a plain file."""
_BLOCK = 1 << 20
"""The number of values that are scaled at once."""

_SPACE = rb"(?:\s|#[^\r\n]*+[\r\n])++"
_NUMBER = rb"(\d{1,10}+)"
_BITMAP = re.compile(rb"P([14])\s" + _SPACE[:-2] + rb"*+" + _NUMBER + _SPACE + _NUMBER + rb"\s")
_GREYMAP_OR_PIXMAP = re.compile(
    rb"P([2356])\s" + _SPACE[:-2] + rb"*+" + _NUMBER + _SPACE + _NUMBER + _SPACE + _NUMBER + rb"\s"
)
_COMMENT = re.compile(rb"#[^\r\n]*+[\r\n]?")
_NOT_A_NUMBER = re.compile(rb"[^\d\s]")
_WHITESPACE = b" \t\n\r\x0b\x0c"


class _Header(NamedTuple):
    kind: int
    """The digit in the file's signature: 1 to 3 are plain, 4 to 6 binary."""
    width: int
    height: int
    max_value: int
    """The value of white."""
    start: int
    """The offset of the pixels in the file."""

    @property
    def is_plain(self) -> bool:
        return self.kind <= 3

    @property
    def channels(self) -> int:
        return 3 if self.kind in {3, 6} else 1

    @property
    def white(self) -> int:
        """The value of white after scaling. Grey pictures of more than 8 bits are scaled to 16 bits."""
        return 65535 if self.max_value > 255 and self.channels == 1 else 255


def inspect(data: bytes) -> Container:
    """Parse the header of the PNM file `data`. Raises ValueError if it is broken."""
    header = _read_header(data)
    values = header.width * header.height * header.channels
    copies = 4 * values if header.white > 255 else 2 * values
    text = 8 * min(len(data) // 2, values) + 2 * len(data) if header.is_plain else 0
    return Container(header.width, header.height, data, copies + text + 16 * _BLOCK)


def decode(data: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the pixels of the PNM file `data`: uint8 or uint16 (h, w), or uint8 (h, w, 3) RGB.

    Raises ValueError if the file is broken.
    """
    header = _read_header(data)
    values = _read_plain(data, header) if header.is_plain else _read_binary(data, header)
    shape = (header.height, header.width, header.channels)
    return _scale(values, header).reshape(shape[: 2 if header.channels == 1 else 3])


def _read_header(data: bytes) -> _Header:
    beginning = data[:_MAX_HEADER_BYTES]
    match = _BITMAP.match(beginning) or _GREYMAP_OR_PIXMAP.match(beginning)
    if match is None:
        message = "its header is invalid"
        raise ValueError(message)
    kind, width, height, max_value = map(int, (*match.groups(), 1)[:4])
    if not width or not height or not 0 < max_value < 65536:
        message = "its width, height or largest value is 0, or its largest value is over 65535"
        raise ValueError(message)
    return _Header(kind, width, height, max_value, match.end())


def _read_plain(data: bytes, header: _Header) -> NDArray[Any]:
    """Return the values of a plain file, (n,)."""
    size = header.width * header.height * header.channels
    if size > len(data) - header.start:
        raise _truncated(size)
    text = data[header.start :]
    check_count(text.count(b"#"), _MAX_COMMENTS, "comments")
    text = _COMMENT.sub(b"", text)
    if header.kind == 1:
        digits = text.translate(None, _WHITESPACE)[:size]
        values: NDArray[Any] = ord("1") - np.frombuffer(digits, np.uint8)  # "1" is black
    else:
        end = _NOT_A_NUMBER.search(text)
        values = np.fromstring(text[: end.start()] if end else text, np.int64, sep=" ")[:size]
    if len(values) < size:
        raise _truncated(size)
    if int(values.min()) < 0 or int(values.max()) > header.max_value:
        message = f"it has values outside of 0 to {header.max_value}"
        raise ValueError(message)
    return values


def _read_binary(data: bytes, header: _Header) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the values of a binary file, (n,)."""
    size = header.width * header.height * header.channels
    if header.kind == 4:
        row = -(-header.width // 8)
        size = row * header.height
    type_ = np.dtype(np.uint8 if header.max_value < 256 else ">u2")
    if size * type_.itemsize > len(data) - header.start:
        raise _truncated(size)
    values: NDArray[Any] = np.frombuffer(data, type_, size, header.start)
    if header.kind == 4:
        bits = np.unpackbits(values.reshape(header.height, row), axis=1, count=header.width)
        return np.asarray(1 - bits).ravel()  # 1 is black
    return values


def _scale(values: NDArray[Any], header: _Header) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return `values`, (n,), scaled so that `header.max_value` becomes `header.white`."""
    type_: type[np.uint8 | np.uint16] = np.uint8 if header.white == 255 else np.uint16
    if header.max_value == header.white and values.dtype == type_:
        return values
    largest = header.max_value if header.is_plain else 2 ** (8 * values.itemsize) - 1
    scaled_values = np.rint(np.arange(largest + 1) / header.max_value * header.white)
    table = np.minimum(scaled_values, header.white).astype(type_)
    scaled: NDArray[Any] = np.empty(len(values), type_)
    for start in range(0, len(values), _BLOCK):
        scaled[start : start + _BLOCK] = table[values[start : start + _BLOCK]]
    return scaled


def _truncated(size: int) -> ValueError:
    return ValueError(f"it is truncated: its header announces {size} values")
