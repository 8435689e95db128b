"""The boxes of the ISO base media file format (ISO/IEC 14496-12): find them within limits, and write them.

Knows no box by its name.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from imaging.container import check_count

_MAX_BOXES = 4096
"""The most boxes in one box, or in the file."""


class Box(NamedTuple):
    """A box, and where its content is."""

    type: bytes
    start: int
    end: int


def iterate_boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets. The last box ends where they end, whatever size it announces.

    Raises:
        ValueError: if a size is impossible.
        PictureTooLarge: if there are too many boxes.

    """
    count = 0
    while start + 8 <= end:
        check_count(count := count + 1, _MAX_BOXES, "boxes")
        size, type_ = struct.unpack_from(">L4s", data, start)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif size == 0:
            size = end - start
        if size < header:
            message = "the size of a box is invalid"
            raise ValueError(message)
        yield Box(type_, start + header, min(start + size, end))
        start += size


def find_boxes(data: bytes, start: int, end: int) -> dict[bytes, Box]:
    """Return the first box of each type between two offsets. Raises what `iterate_boxes` raises."""
    boxes: dict[bytes, Box] = {}
    for box in iterate_boxes(data, start, end):
        boxes.setdefault(box.type, box)
    return boxes


def build_box(type_: bytes, *parts: bytes) -> bytes:
    """Return a box with this content."""
    content = b"".join(parts)
    return struct.pack(">L4s", 8 + len(content), type_) + content


class FieldReader:
    """Reads the numbers at the beginning of a box, one after the other."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data = data
        self._end = box.end
        self.offset = box.start

    def read(self, size: int) -> int:
        """Return the next number of `size` bytes, big-endian.

        Raises:
            ValueError: if the box ends before.

        """
        start = self.offset
        self.offset += size
        if self.offset > self._end:
            message = "a box is truncated"
            raise ValueError(message)
        return int.from_bytes(self._data[start : self.offset], "big")

    def read_version(self) -> tuple[int, int]:
        """Return the version and the flags at the beginning of a full box. Raises ValueError as `read`."""
        return self.read(1), self.read(3)
