"""JPEG files: parse the segments before the first scan (ITU-T T.81, annex B), and count the scans.

Does not decode pixels. Of an MPO file, the first picture is parsed.
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
"""The markers without a segment, and the two bytes that are not markers: 0x00 (stuffing) and 0xFF (fill)."""
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_BASELINE = {0xC0, 0xC1}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Arithmetic coding takes ten times as long as Huffman coding, and no camera or program writes it."""
_CHEAP_SIDE = 640
"""The longest side of a picture that is cheap to decode, in pixels."""
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
"""Huffman codes, arithmetic conditioning, quantisation, restart interval."""
_NEEDED = {**dict.fromkeys(_FRAMES | _TABLES, b""), 0xE0: b"JFIF", 0xEE: b"Adobe"}
"""The markers of the segments that a decoder needs, and how each segment begins.

The application segments JFIF and Adobe name the colour space.
"""
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"

_INDEX, _PICTURE_COUNT = b"MPF\0", 0xB001
"""The beginning of the index of an MPO file (CIPA DC-007), and its tag with the number of pictures."""
_MAX_INDEX_OFFSET = 1 << 18
_GAIN_MAPS = (b"hdrgm:Version", b"hdrgainmap", b"urn:iso:std:iso:ts:21496:-1")
"""What the metadata of a file with a gain map contains."""

_COEFFICIENT_BYTES = 2
_MAX_SEGMENTS = 10_000
_MAX_TABLE_BYTES = 1 << 16
"""Pillow parses quantisation tables in a Python loop. A picture needs about 2 kB of tables."""
_MAX_SCANS = 64
"""A baseline picture usually has 1 scan, and a progressive one 10."""
_MAX_SCANNED_SAMPLES = 2_500_000_000
"""The most samples times scans, which take about a third of a second. Even an empty scan visits every sample."""

_END = b"\xff\xd9"
_FILLING = bytes((181 + 37 * place) % 251 for place in range(2048))
"""Entropy-coded data without a marker. It does not begin with zeros, which a decoder takes for missing bits."""

_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker within the entropy-coded data, where 0xFF00 is data and 0xFFD0 to 0xFFD7 are restart markers."""


class _Frame(NamedTuple):
    """A frame header."""

    marker: int
    width: int
    height: int
    sampling_factors: list[tuple[int, int]]
    """The horizontal and the vertical sampling factor of each colour component."""

    @property
    def samples(self) -> int:
        """The number of coefficients of all colour components, in whole blocks of 8x8."""
        max_horizontal, max_vertical = (max(factors) for factors in zip(*self.sampling_factors, strict=True))
        columns, rows = -(-self.width // (8 * max_horizontal)), -(-self.height // (8 * max_vertical))
        return sum(64 * columns * horizontal * rows * vertical for horizontal, vertical in self.sampling_factors)


class Header(NamedTuple):
    """The contents of a file before its first scan."""

    frame: _Frame
    scan: int
    """The offset of the first scan's segment, after its marker."""
    kept: list[bytes]
    """The segments that a decoder needs."""
    exif: bytes
    xmp: bytes

    def is_buffered(self, data: bytes) -> bool:
        """Tell whether the picture has several scans, so that the decoder keeps all of its coefficients in memory."""
        return self.frame.marker in _PROGRESSIVE or data[self.scan + 2] < len(self.frame.sampling_factors)


def inspect(data: bytes) -> Container:
    """Parse the header of the JPEG file `data`.

    Raises:
        ValueError, struct.error: if the header is broken.
        UnsupportedPicture: if the picture has arithmetic coding.
        PictureTooLarge: if there are too many segments, tables or scans.

    """
    header = read_header(data)
    frame = header.frame
    buffers = 0
    if header.is_buffered(data):
        _check_scans(data, header)
        buffers = _COEFFICIENT_BYTES * frame.samples
    orientation = find_orientation(header.exif, header.xmp)
    return Container(frame.width, frame.height, b"".join([*header.kept, data[header.scan - 2 :]]), buffers, orientation)


def count_frames(data: bytes) -> int:
    """Return the number of pictures that the index of an MPO file announces; 1 for any other JPEG file.

    The gain map that phones append for bright screens is no picture of its own.
    """
    at = data.find(_INDEX, 0, _MAX_INDEX_OFFSET)
    order = {b"II": "<", b"MM": ">"}.get(data[at + 4 : at + 6])
    if at < 4 or data[at - 4 : at - 2] != b"\xff\xe2" or order is None or any(name in data for name in _GAIN_MAPS):
        return 1
    start = at + 4
    (directory,) = struct.unpack_from(order + "L", data, start + 4)
    (count,) = struct.unpack_from(order + "H", data, start + directory)
    entries = data[start + directory + 2 :][: 12 * min(count, 8)]
    for tag, _, _, value in struct.iter_unpack(order + "HHLL", entries[: len(entries) // 12 * 12]):
        if tag == _PICTURE_COUNT:
            return int(value)
    return 1


def complete(data: bytes) -> tuple[bytes, bytes]:
    """Return two files with the truncated JPEG file `data`, the marker of the end, and different data before that.

    A decoder ignores data after the last pixel, and takes it for pixels if some are missing. So the files have the same
    pixels if `data` has all of them.
    """
    return data + _END, data.rstrip(b"\xff") + _FILLING + _END


def is_cheap(data: bytes, max_samples: int) -> bool:
    """Tell whether the JPEG file `data` is a small baseline picture with one scan, or has an invalid header.

    Small means at most `max_samples` samples. A file with an invalid header is refused at once.
    """
    try:
        header = read_header(data)
    except (PictureError, ValueError, struct.error):
        return True
    frame = header.frame
    if max(frame.width, frame.height) > _CHEAP_SIDE or frame.marker not in _BASELINE:
        return False
    return frame.width * frame.height * len(frame.sampling_factors) <= max_samples and not header.is_buffered(data)


def read_header(data: bytes) -> Header:
    """Parse all segments before the first scan. Raises what `inspect` raises."""
    kept, exif, xmp, frame = [b"\xff\xd8"], [], b"", None
    table_bytes = 0
    for marker, start, end in _segments(data):
        content = data[start + 2 : end]
        if marker == _SOS and frame is not None and content:
            check_count(table_bytes, _MAX_TABLE_BYTES, "bytes of tables")
            return Header(frame, start, kept, b"".join(exif), xmp)
        if marker in _ARITHMETIC:
            message = "The JPEG picture has arithmetic coding, which is not supported. Save it as a baseline JPEG."
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
    message = "its header is followed by no scan"
    raise ValueError(message)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment. Bytes between segments are skipped, as decoders do."""
    at, count = 2, 0
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        check_count(count := count + 1, _MAX_SEGMENTS, "segments")
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
        message = "its frame header is invalid"
        raise ValueError(message)
    return _Frame(marker, width, height, factors)


def _check_scans(data: bytes, header: Header) -> None:
    scans = 0
    for count, marker in enumerate(_MARKER.finditer(data, header.scan - 2)):
        check_count(count, _MAX_SEGMENTS, "segments")
        if data[marker.end() - 1] == _SOS:
            check_count(scans := scans + 1, _MAX_SCANS, "scans")
    if scans * header.frame.samples > _MAX_SCANNED_SAMPLES:
        message = (
            f"The JPEG picture has {scans} scans of {header.frame.samples:,} samples, which takes too long to decode. "
            "Send a baseline JPEG, or a smaller picture."
        )
        raise PictureTooLarge(message)
