"""Find the orientation of a picture in its EXIF or XMP metadata. Knows no other tag, and no picture format.

The time is bounded. Pillow would parse all of the metadata, however much there is.
"""

import re
import struct

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_MAX_ENTRIES = 1000
"""The entries of a directory that are searched. EXIF sorts them by tag, and the orientation's is one of the lowest."""
_MAX_XMP_BYTES = 1 << 20
"""The bytes of XMP that are searched."""

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def find_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """Return the orientation (EXIF 2.3, tag 274) from `exif`, or from `xmp` if `exif` has none.

    Return 1, upright, if neither has one. `exif` may begin with the marker "Exif". Any bytes are accepted, and the
    time is bounded.
    """
    orientation = _parse_exif(exif)
    if orientation is not None:
        return orientation
    match = _XMP_ORIENTATION.search(xmp, 0, _MAX_XMP_BYTES)
    return int(match[1]) if match else 1


def _parse_exif(exif: bytes) -> int | None:
    """Return the orientation in `exif`, or None if it has none or is broken."""
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
    entries = exif[first : first + 12 * min(count, _MAX_ENTRIES)]
    for tag, type_, values, value in struct.iter_unpack(order + "HHL4s", entries[: len(entries) // 12 * 12]):
        if tag == _ORIENTATION and type_ in {_SHORT, _LONG} and values == 1:
            return int(struct.unpack_from(order + ("H" if type_ == _SHORT else "L"), value)[0])
    return None
