"""GIF files: their blocks up to the pixels of the first frame (GIF89a specification). Knows nothing of the pixels."""

import re
import struct

from imaging.container import Container, check_count

_EXTENSION, _IMAGE, _END = b"!", b",", b";"
_CONTROL = 0xF9
_BLOCK = re.compile(rb"[!,;]")
_MOST_BLOCKS = 100_000
"""Before the first frame. A text of 8 MB has a third as many."""


def inspect(data: bytes) -> Container:
    """Return the facts of the GIF file `data`: its size holds the screen and the first frame.

    Raises ValueError or IndexError where the file is broken, and PictureTooLarge for too many blocks.
    """
    start = 13 + _table_bytes(data[10])
    at, transparent = _find_first_frame(data, start)
    left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
    width, height = struct.unpack_from("<HH", data, 6)
    control = b"" if transparent is None else bytes((0x21, _CONTROL, 4, 1, 0, 0, transparent, 0))
    return Container(max(width, left + across), max(height, top + down), data[:start] + control + data[at:])


def _table_bytes(flags: int) -> int:
    """Return how long the table of colours is that the `flags` of a screen or a frame announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _find_first_frame(data: bytes, at: int) -> tuple[int, int | None]:
    """Return where the first frame begins, and which of its colours is transparent."""
    transparent, count = None, 0
    while (block := _BLOCK.search(data, at)) and block[0] != _END:
        at = block.start()
        if block[0] == _IMAGE:
            return at, transparent
        check_count(count := count + 1, _MOST_BLOCKS, "blocks before its first frame")
        label, at = data[at + 1], at + 2
        if label == _CONTROL and data[at] >= 4 and data[at + 1] & 1:
            transparent = data[at + 4]
        while data[at]:
            at += 1 + data[at]
            check_count(count := count + 1, _MOST_BLOCKS, "blocks before its first frame")
        at += 1
    message = "it has no frame"
    raise ValueError(message)
