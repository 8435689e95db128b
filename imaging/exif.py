"""Which way up a picture is, by its EXIF or its XMP. Knows nothing else of either, and of no picture format.

Pillow builds all of both to tell this, in a time and a memory that the file decides.
"""

import re
import struct

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_MOST_ENTRIES = 1000
"""Of a directory; further ones are not looked at. EXIF orders them by tag, and this is one of the lowest."""
_MOST_XMP_BYTES = 1 << 20

_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def find_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """Return the orientation (EXIF 2.3, tag 274) by `exif`, with or without its "Exif" before it, or else by `xmp`.

    1, which is upright, where neither says it. Any bytes are taken, in bounded time.
    """
    orientation = _in_exif(exif)
    if orientation is not None:
        return orientation
    match = _IN_XMP.search(xmp, 0, _MOST_XMP_BYTES)
    return int(match[1]) if match else 1


def _in_exif(exif: bytes) -> int | None:
    start = 0
    while exif.startswith(b"Exif\0\0", start) and start < 12:
        start += 6
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return None
    directory = start + int(struct.unpack_from(order + "L", exif, start + 4)[0])
    if len(exif) < directory + 2:
        return None
    (count,) = struct.unpack_from(order + "H", exif, directory)
    first = directory + 2
    entries = exif[first : first + 12 * min(count, _MOST_ENTRIES)]
    for tag, type_, values, value in struct.iter_unpack(order + "HHL4s", entries[: len(entries) // 12 * 12]):
        if tag == _ORIENTATION and type_ in {_SHORT, _LONG} and values == 1:
            return int(struct.unpack_from(order + ("H" if type_ == _SHORT else "L"), value)[0])
    return None
