"""WebP files (RFC 9649): parse the chunks and decode the first frame. Knows nothing of what the picture shows.

OpenCV decodes the frame. Pillow would allocate four canvases for each file, which takes five times the memory.
"""

import math
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.container import Container, check_count
from imaging.exif import find_orientation

_MAX_CHUNKS = 20_000
_MAX_COUNTED_CHUNKS = 2_000
"""The most chunks among which frames are counted, which takes about 1 ms."""
_ROWS = 64
"""The number of rows whose channels are reordered at once."""
_HAS_ALPHA = 0x10
_FRAME_HEADER = 16
_LOSSY_SIGNATURE = b"\x9d\x01\x2a"
_LOSSLESS_SIGNATURE = 0x2F

_Chunk = tuple[bytes, int, int]
"""The name of a chunk, and the start and end of its content."""


class _Frame(NamedTuple):
    """The first frame of an animation, or the only frame."""

    file: bytes
    """A WebP file with this frame alone."""
    left: int
    top: int
    width: int
    height: int
    is_lossless: bool
    has_alpha: bool


class _Canvas(NamedTuple):
    width: int
    height: int
    has_alpha: bool
    frame: _Frame
    exif: bytes
    xmp: bytes


def inspect(data: bytes) -> Container:
    """Parse the chunks of the WebP file `data`.

    Raises:
        ValueError, struct.error: if the file is broken.
        PictureTooLarge: if there are too many chunks.

    """
    canvas = _parse_canvas(data)
    frame = canvas.frame
    channels = 4 if canvas.has_alpha else 3
    fills_canvas = (frame.width, frame.height) == (canvas.width, canvas.height)
    buffers = math.ceil(_bytes_per_pixel(frame) * frame.width * frame.height)
    if not fills_canvas:
        buffers += channels * canvas.width * canvas.height
    orientation = find_orientation(canvas.exif, canvas.xmp)
    return Container(canvas.width, canvas.height, data, buffers, orientation)


def count_frames(data: bytes) -> int:
    """Return the number of frames in the WebP file `data`, or among its first chunks if it has very many."""
    chunks = islice(_iterate_chunks(data, 12, len(data)), _MAX_COUNTED_CHUNKS)
    return max(1, sum(name == b"ANMF" for name, _, _ in chunks))


def _bytes_per_pixel(frame: _Frame) -> float:
    """Return the most memory that OpenCV and libwebp were measured to allocate for each pixel, in bytes."""
    if frame.is_lossless:
        return 8.6 if frame.has_alpha else 7
    return 9.6 if frame.has_alpha else 6.3


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of the WebP file `data`, uint8 (h, w, 3) RGB or (h, w, 4) RGBA.

    Raises what `inspect` raises, and ValueError if the pixels cannot be decoded.
    """
    width, height, has_alpha, frame, _, _ = _parse_canvas(data)
    pixels = cv2.imdecode(np.frombuffer(frame.file, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (frame.height, frame.width):
        message = "its pixels cannot be decoded"
        raise ValueError(message)
    for start in range(0, frame.height, _ROWS):  # BGR to RGB in place, without a copy of the picture
        rows = pixels[start : start + _ROWS, :, :3]
        rows[:] = rows[..., ::-1]
    if not has_alpha:
        pixels = pixels[..., :3]
    if pixels.shape[:2] == (height, width):
        return np.asarray(pixels, np.uint8)
    canvas = np.zeros((height, width, 4 if has_alpha else 3), np.uint8)
    window = np.s_[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
    canvas[window][..., : pixels.shape[2]] = pixels
    if has_alpha and pixels.shape[2] == 3:
        canvas[window][..., 3] = 255
    return canvas


def _parse_canvas(data: bytes) -> _Canvas:
    chunks = list(_iterate_chunks(data, 12, len(data)))
    contents = {name: data[start:end] for name, start, end in reversed(chunks) if name in {b"VP8X", b"EXIF", b"XMP "}}
    extended = contents.get(b"VP8X")
    animation = next((chunk for chunk in chunks if chunk[0] == b"ANMF"), None)
    if extended is None:
        frame = _parse_frame(data, chunks, 0, 0, allows_alpha=True)
        return _Canvas(frame.width, frame.height, frame.has_alpha, frame, b"", b"")
    has_alpha = bool(extended[0] & _HAS_ALPHA)
    width, height = _read_24_bits(extended, 4) + 1, _read_24_bits(extended, 7) + 1
    left = top = 0
    if animation is not None:
        _, start, end = animation
        left, top = 2 * _read_24_bits(data, start), 2 * _read_24_bits(data, start + 3)
        chunks = list(_iterate_chunks(data, start + _FRAME_HEADER, end))
    frame = _parse_frame(data, chunks, left, top, allows_alpha=has_alpha)
    if left + frame.width > width or top + frame.height > height:
        message = "its first frame is larger than its canvas"
        raise ValueError(message)
    return _Canvas(width, height, has_alpha, frame, contents.get(b"EXIF", b""), contents.get(b"XMP ", b""))


def _iterate_chunks(data: bytes, at: int, end: int) -> Iterator[_Chunk]:
    count = 0
    while at + 8 <= end:
        check_count(count := count + 1, _MAX_CHUNKS, "chunks")
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, min(at + 8 + length, end)
        at += 8 + length + length % 2


def _parse_frame(data: bytes, chunks: list[_Chunk], left: int, top: int, *, allows_alpha: bool) -> _Frame:
    """Return the first frame in `chunks`, with a WebP file of its own."""
    alpha = None
    for name, start, end in chunks:
        if name == b"ALPH" and alpha is None:
            alpha = data[start:end]
        elif name == b"VP8L":
            width, height, has_alpha = _parse_lossless_header(data, start)
            return _Frame(_build_file([(name, data[start:end])]), left, top, width, height, True, has_alpha)  # noqa: FBT003
        elif name == b"VP8 ":
            width, height = _parse_lossy_header(data, start)
            parts = [(name, data[start:end])]
            has_alpha = alpha is not None and allows_alpha
            if alpha is not None and has_alpha:
                size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
                parts = [(b"VP8X", bytes((_HAS_ALPHA, 0, 0, 0)) + size), (b"ALPH", alpha), *parts]
            return _Frame(_build_file(parts), left, top, width, height, False, has_alpha)  # noqa: FBT003
    message = "it contains no frame"
    raise ValueError(message)


def _parse_lossy_header(data: bytes, start: int) -> tuple[int, int]:
    """Return the width and the height in the frame header of VP8 (RFC 6386, section 9.1), in pixels."""
    if data[start + 3 : start + 6] != _LOSSY_SIGNATURE:
        message = "its frame header is invalid"
        raise ValueError(message)
    width, height = struct.unpack_from("<HH", data, start + 6)
    return width & 0x3FFF, height & 0x3FFF


def _parse_lossless_header(data: bytes, start: int) -> tuple[int, int, bool]:
    """Return the width and the height in pixels, and whether there is an alpha channel (RFC 9649, section 3.4)."""
    signature, bits = struct.unpack_from("<BL", data, start)
    if signature != _LOSSLESS_SIGNATURE:
        message = "its frame header is invalid"
        raise ValueError(message)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)


def _read_24_bits(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _build_file(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a WebP file with `chunks`, each a name and its content."""
    parts = [name + struct.pack("<L", len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<L", len(body)) + body
