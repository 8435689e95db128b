"""PBM, PGM and PPM files (Netpbm's pbm(5), pgm(5) and ppm(5)), binary and plain -> their pixels.

Pillow reads comments and plain files a byte or a number at a time in Python. Knows nothing of what is in the picture.
"""

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.container import Container, check_count

_MOST_HEADER_BYTES = 1 << 16
"""Of the header, with its comments."""
_MOST_COMMENTS = 100_000
_BLOCK = 1 << 20
"""So many values are scaled at once."""

_SPACE = rb"(?:\s|#[^\r\n]*+[\r\n])++"
_NUMBER = rb"(\d{1,10}+)"
_BITMAP = re.compile(rb"P([14])\s" + _SPACE[:-2] + rb"*+" + _NUMBER + _SPACE + _NUMBER + rb"\s")
_GREYS_OR_COLOURS = re.compile(
    rb"P([2356])\s" + _SPACE[:-2] + rb"*+" + _NUMBER + _SPACE + _NUMBER + _SPACE + _NUMBER + rb"\s"
)
_COMMENT = re.compile(rb"#[^\r\n]*+[\r\n]?")
_NO_NUMBER = re.compile(rb"[^\d\s]")
_WHITESPACE = b" \t\n\r\x0b\x0c"


class _Header(NamedTuple):
    kind: int
    """The digit of its name: 1 to 3 are plain, 4 to 6 binary."""
    width: int
    height: int
    most: int
    """The value that is white."""
    start: int
    """Where the pixels begin."""

    @property
    def is_plain(self) -> bool:
        return self.kind <= 3

    @property
    def channels(self) -> int:
        return 3 if self.kind in {3, 6} else 1

    @property
    def white(self) -> int:
        """What white becomes: greys of more than eight bits keep 16."""
        return 65535 if self.most > 255 and self.channels == 1 else 255


def inspect(data: bytes) -> Container:
    """Return the facts of the PNM file `data`. Raises ValueError where its header is broken."""
    header = _read_header(data)
    values = header.width * header.height * header.channels
    copies = 4 * values if header.white > 255 else 2 * values
    text = 8 * min(len(data) // 2, values) + 2 * len(data) if header.is_plain else 0
    return Container(header.width, header.height, data, copies + text + 16 * _BLOCK)


def read(data: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the pixels of the PNM file `data`: uint8 or uint16 (h, w), or uint8 (h, w, 3) RGB.

    Raises ValueError where it is broken.
    """
    header = _read_header(data)
    values = _read_plain(data, header) if header.is_plain else _read_binary(data, header)
    shape = (header.height, header.width, header.channels)
    return _scale(values, header).reshape(shape[: 2 if header.channels == 1 else 3])


def _read_header(data: bytes) -> _Header:
    beginning = data[:_MOST_HEADER_BYTES]
    match = _BITMAP.match(beginning) or _GREYS_OR_COLOURS.match(beginning)
    if match is None:
        message = "its header makes no sense"
        raise ValueError(message)
    kind, width, height, most = map(int, (*match.groups(), 1)[:4])
    if not width or not height or not 0 < most < 65536:
        message = "its header has a 0, or a largest value over 65535"
        raise ValueError(message)
    return _Header(kind, width, height, most, match.end())


def _read_plain(data: bytes, header: _Header) -> NDArray[Any]:
    """Return (n,) the numbers of a plain file."""
    size = header.width * header.height * header.channels
    if size > len(data) - header.start:
        raise _cut_short(size)
    text = data[header.start :]
    check_count(text.count(b"#"), _MOST_COMMENTS, "comments")
    text = _COMMENT.sub(b"", text)
    if header.kind == 1:
        digits = text.translate(None, _WHITESPACE)[:size]
        values: NDArray[Any] = ord("1") - np.frombuffer(digits, np.uint8)  # "1" is black
    else:
        end = _NO_NUMBER.search(text)
        values = np.fromstring(text[: end.start()] if end else text, np.int64, sep=" ")[:size]
    if len(values) < size:
        raise _cut_short(size)
    if int(values.min()) < 0 or int(values.max()) > header.most:
        message = f"it has values that are not 0 to {header.most}"
        raise ValueError(message)
    return values


def _read_binary(data: bytes, header: _Header) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return (n,) the values of a binary file."""
    size = header.width * header.height * header.channels
    if header.kind == 4:
        row = -(-header.width // 8)
        size = row * header.height
    type_ = np.dtype(np.uint8 if header.most < 256 else ">u2")
    if size * type_.itemsize > len(data) - header.start:
        raise _cut_short(size)
    values: NDArray[Any] = np.frombuffer(data, type_, size, header.start)
    if header.kind == 4:
        bits = np.unpackbits(values.reshape(header.height, row), axis=1, count=header.width)
        return np.asarray(1 - bits).ravel()  # 1 is black
    return values


def _scale(values: NDArray[Any], header: _Header) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return `values`, (n,), so that `header.most` becomes white."""
    type_: type[np.uint8 | np.uint16] = np.uint8 if header.white == 255 else np.uint16
    if header.most == header.white and values.dtype == type_:
        return values
    most = header.most if header.is_plain else 2 ** (8 * values.itemsize) - 1
    table = np.minimum(np.rint(np.arange(most + 1) / header.most * header.white), header.white).astype(type_)
    scaled: NDArray[Any] = np.empty(len(values), type_)
    for start in range(0, len(values), _BLOCK):
        scaled[start : start + _BLOCK] = table[values[start : start + _BLOCK]]
    return scaled


def _cut_short(size: int) -> ValueError:
    return ValueError(f"it is cut short: its header announces {size} values")
