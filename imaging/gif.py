"""GIF files: parse the blocks before the first frame (GIF89a specification). Does not decode pixels."""

import re
import struct

from imaging.container import Container, check_count

_EXTENSION, _IMAGE, _END = b"!", b",", b";"
_CONTROL = 0xF9
_BLOCK = re.compile(rb"[!,;]")
_MAX_BLOCKS = 100_000
"""The most blocks before the first frame. A text of 8 MB has a third as many."""
_MAX_COUNTED_BLOCKS = 20_000
"""The most blocks in which frames are counted, which takes about 2 ms."""


def inspect(data: bytes) -> Container:
    """Parse the blocks of the GIF file `data`. The size covers the logical screen and the first frame.

    Raises:
        ValueError, IndexError: if the file is broken.
        PictureTooLarge: if there are too many blocks before the first frame.

    """
    start = 13 + _colour_table_bytes(data[10])
    at, transparent = _find_first_frame(data, start)
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, at + 1)
    width, height = struct.unpack_from("<HH", data, 6)
    control = b"" if transparent is None else bytes((0x21, _CONTROL, 4, 1, 0, 0, transparent, 0))
    container_data = data[:start] + control + data[at:]
    return Container(max(width, left + frame_width), max(height, top + frame_height), container_data)


def count_frames(data: bytes) -> int:
    """Return the number of frames in the GIF file `data`, or in its first blocks if it has very many.

    Raises IndexError if the file is broken before its first frame.
    """
    at, frames = 13 + _colour_table_bytes(data[10]), 0
    blocks = 0
    while blocks < _MAX_COUNTED_BLOCKS and (block := _BLOCK.search(data, at)) and block[0] != _END:
        at = block.start() + 2
        if block[0] == _IMAGE:
            frames += 1
            at = block.start() + 11 + _colour_table_bytes(data[block.start() + 9 : block.start() + 10][0])
        while blocks < _MAX_COUNTED_BLOCKS and (length := data[at : at + 1]) > b"\0":
            at += 1 + length[0]
            blocks += 1
        at += 1
        blocks += 1
    return frames


def _colour_table_bytes(flags: int) -> int:
    """Return the size of the colour table that the `flags` of a screen or a frame announce, in bytes."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _find_first_frame(data: bytes, at: int) -> tuple[int, int | None]:
    """Return the offset of the first frame, and the index of its transparent colour or None."""
    transparent, count = None, 0
    while (block := _BLOCK.search(data, at)) and block[0] != _END:
        at = block.start()
        if block[0] == _IMAGE:
            return at, transparent
        check_count(count := count + 1, _MAX_BLOCKS, "blocks before its first frame")
        label, at = data[at + 1], at + 2
        if label == _CONTROL and data[at] >= 4 and data[at + 1] & 1:
            transparent = data[at + 4]
        while data[at]:
            at += 1 + data[at]
            check_count(count := count + 1, _MAX_BLOCKS, "blocks before its first frame")
        at += 1
    message = "it contains no frame"
    raise ValueError(message)
