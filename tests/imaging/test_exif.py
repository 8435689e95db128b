"""The orientation is found in EXIF of either byte order and in XMP, and no bytes raise an error or take long."""

import struct

import pytest

from imaging.exif import find_orientation


def exif(order: str, value: int, *, before: int = 0) -> bytes:
    name = b"II" if order == "<" else b"MM"
    other = struct.pack(order + "HHLL", 0x0100, 4, 1, 7)
    entry = struct.pack(order + "HHLHH", 0x0112, 3, 1, value, 0)
    return name + struct.pack(order + "HLH", 42, 8, before + 1) + before * other + entry + bytes(4)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_tag_is_found(order: str, prefix: bytes) -> None:
    assert find_orientation(prefix + exif(order, 6, before=3)) == 6


def test_xmp_is_used_if_exif_has_no_orientation() -> None:
    xmp = b'<rdf:Description tiff:Orientation="8"/>'
    assert find_orientation(b"", xmp) == 8
    assert find_orientation(exif("<", 3), xmp) == 3


def test_anything_else_is_upright() -> None:
    whole = exif("<", 6)
    for data in (b"", b"Exif\0\0", b"II*\0", *(whole[:length] for length in range(len(whole) - 6)), bytes(100)):
        assert find_orientation(data) == 1


def test_only_the_first_thousand_entries_are_searched() -> None:
    assert find_orientation(exif("<", 6, before=999)) == 6
    assert find_orientation(exif("<", 6, before=1000)) == 1
