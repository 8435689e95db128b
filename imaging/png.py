"""PNG files as browsers, drawing programs and scanners write them, opened fast. Knows nothing of ink."""

import struct

import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PLAIN_CHUNKS = {b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"tEXt"}
_EXIF_AS_TEXT = b"Raw profile type"
"""How a text begins that holds which way up the picture is."""
_MODES = {bytes((8, 0, 0, 0, 0)): "mono", bytes((8, 2, 0, 0, 0)): "rgb", bytes((8, 6, 0, 0, 0)): "rgba"}
"""What the header says after the size, of eight bits for each channel and not interlaced."""


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that the header of the PNG `data` says, or None if it is cut short."""
    size = len(SIGNATURE) + 8
    return struct.unpack_from(">II", data, size) if len(data) >= size + 8 else None


def open_plain(data: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of the PNG `data`, uint8 (h, w), (h, w, 3) RGB or (h, w, 4) RGBA, if it is plain and whole.

    Otherwise return None: Pillow opens what is left, several times slower, or says what is wrong with it.
    """
    mode = _MODES.get(data[24:29])
    size = size_of(data)
    if mode is None or size is None or not _has_plain_chunks(data):
        return None
    try:
        pixels: NDArray[np.uint8] = decode_image_png_u8(data, size[::-1], mode)
    except Exception:  # noqa: BLE001 - it raises nothing narrower
        return None
    return pixels[..., 0] if mode == "mono" else pixels


def _has_plain_chunks(data: bytes) -> bool:
    """Tell whether the PNG `data` is whole, with nothing behind it, and holds no chunk that changes the pixels."""
    start = len(SIGNATURE)
    while start + 12 <= len(data):
        if data[start + 4 : start + 8] not in _PLAIN_CHUNKS or data.startswith(_EXIF_AS_TEXT, start + 8):
            return False
        start += 12 + int.from_bytes(data[start : start + 4], "big")
    return start == len(data) and data.endswith(_END)
