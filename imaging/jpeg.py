"""JPEG files: their segments (ITU-T T.81, annex B) up to the pixels. Knows nothing of how pixels are decoded.

Of an MPO file, it is the first picture.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from imaging.container import Container, check_count
from imaging.errors import PictureError, PictureTooLarge, UnsupportedPicture
from imaging.exif import find_orientation

_SOS, _APP1, _FILL = 0xDA, 0xE1, 0xFF
_STANDALONE = {0x00, 0x01, *range(0xD0, 0xDA), _FILL}
"""Second bytes of what is no segment."""
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_BASELINE = {0xC0, 0xC1}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Takes ten times as long as Huffman coding, and no camera or program writes it."""
_LONGEST_LIGHT_SIDE = 640
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
"""Huffman codes, arithmetic conditioning, quantisation, restart interval."""
_NEEDED = {**dict.fromkeys(_FRAMES | _TABLES, b""), 0xE0: b"JFIF", 0xEE: b"Adobe"}
"""The markers of what a decoder needs, and how its content begins: application segments say what the colours are."""
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"

_COEFFICIENT_BYTES = 2
_MOST_SEGMENTS = 10_000
_MOST_TABLE_BYTES = 1 << 16
"""Pillow reads quantisation tables in a Python loop; a picture needs some 2 kB of tables."""
_MOST_SCANS = 64
"""Usual are 1, or 10 where it is progressive."""
_MOST_WORK = 2_500_000_000
"""Samples times scans: a scan goes through all of them, even where it has no bits. About a third of a second."""

_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""In the pixels: 0xFF00 is data, and 0xFFD0 to 0xFFD7 are restarts."""


class _Frame(NamedTuple):
    """A frame header."""

    marker: int
    width: int
    height: int
    factors: list[tuple[int, int]]
    """How often each component is sampled, across and down, in a block of the frame."""

    @property
    def samples(self) -> int:
        """How many coefficients all of its components have, in whole blocks."""
        widest, tallest = (max(factors) for factors in zip(*self.factors, strict=True))
        across, down = -(-self.width // (8 * widest)), -(-self.height // (8 * tallest))
        return sum(64 * across * horizontal * down * vertical for horizontal, vertical in self.factors)


class Header(NamedTuple):
    """All that stands before the first scan of a file."""

    frame: _Frame
    scan: int
    """Where the segment of the first scan begins."""
    kept: list[bytes]
    """The segments that a decoder needs."""
    exif: bytes
    xmp: bytes

    def is_buffered(self, data: bytes) -> bool:
        """Tell whether the picture comes in several scans, so that the decoder holds all of its coefficients."""
        return self.frame.marker in _PROGRESSIVE or data[self.scan + 2] < len(self.frame.factors)


def inspect(data: bytes) -> Container:
    """Return the facts of the JPEG file `data`.

    Raises ValueError where its header is broken, and PictureTooLarge for too many segments or scans.
    """
    header = read_header(data)
    frame = header.frame
    buffers = 0
    if header.is_buffered(data):
        _check_scans(data, header)
        buffers = _COEFFICIENT_BYTES * frame.samples
    orientation = find_orientation(header.exif, header.xmp)
    return Container(frame.width, frame.height, b"".join([*header.kept, data[header.scan - 2 :]]), buffers, orientation)


def is_light(data: bytes, pixels: int) -> bool:
    """Tell whether a JPEG file has one scan of at most so many samples as `pixels`, or is refused by its header."""
    try:
        header = read_header(data)
    except (PictureError, ValueError, struct.error):
        return True
    frame = header.frame
    if max(frame.width, frame.height) > _LONGEST_LIGHT_SIDE or frame.marker not in _BASELINE:
        return False
    return frame.width * frame.height * len(frame.factors) <= pixels and not header.is_buffered(data)


def read_header(data: bytes) -> Header:
    """Read all segments up to the first scan. Raises what `inspect` does."""
    kept, exif, xmp, frame = [b"\xff\xd8"], [], b"", None
    table_bytes = 0
    for marker, start, end in _segments(data):
        content = data[start + 2 : end]
        if marker == _SOS and frame is not None and content:
            check_count(table_bytes, _MOST_TABLE_BYTES, "bytes of tables")
            return Header(frame, start, kept, b"".join(exif), xmp)
        if marker in _ARITHMETIC:
            message = "The JPEG picture has arithmetic coding, which is not read. Save it as a baseline JPEG."
            raise UnsupportedPicture(message)
        if marker in _FRAMES:
            frame = _read_frame(marker, content)
        elif marker == _APP1 and content.startswith(_EXIF):
            exif.append(content[len(_EXIF) :])
        elif marker == _APP1 and content.startswith(_XMP):
            xmp = content[len(_XMP) :]
        elif marker in _TABLES:
            table_bytes += len(content)
        if marker in _NEEDED and content.startswith(_NEEDED[marker]):
            kept.append(data[start - 2 : end])
    message = "no scan follows its header"
    raise ValueError(message)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Go through marker, start and end of each segment; what is between them is passed over, as decoders do."""
    at, count = 2, 0
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        check_count(count := count + 1, _MOST_SEGMENTS, "segments")
        marker = data[at + 1]
        if marker in _STANDALONE:
            at += 1 if marker == _FILL else 2
            continue
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        yield marker, at + 2, end
        at = end


def _read_frame(marker: int, content: bytes) -> _Frame:
    _, height, width, count = struct.unpack_from(">BHHB", content)
    factors = [divmod(sampling, 16) for sampling in content[7 : 6 + 3 * count : 3]]
    if not width or not height or not factors or not all(1 <= factor <= 4 for pair in factors for factor in pair):
        message = "its frame header makes no sense"
        raise ValueError(message)
    return _Frame(marker, width, height, factors)


def _check_scans(data: bytes, header: Header) -> None:
    scans = 0
    for count, marker in enumerate(_MARKER.finditer(data, header.scan - 2)):
        check_count(count, _MOST_SEGMENTS, "segments")
        if data[marker.end() - 1] == _SOS:
            check_count(scans := scans + 1, _MOST_SCANS, "scans")
    if scans * header.frame.samples > _MOST_WORK:
        message = (
            f"The JPEG picture has {scans} scans of {header.frame.samples:,} samples, too many to be read in time. "
            "Send it as a baseline JPEG, or smaller."
        )
        raise PictureTooLarge(message)
