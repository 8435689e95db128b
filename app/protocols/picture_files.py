"""Extracts picture files from BYTES tensors and base64, and encodes BYTES tensors. Does not decode the pictures.

Long base64 strings are decoded in pieces, and the event loop runs after each piece.
"""

import asyncio
import base64
import binascii
import struct

from app.errors import MalformedRequest, TooLarge

_LENGTH = struct.Struct("<I")
_CHUNK_CHARACTERS = 1 << 16
"""Of base64 that are decoded in one step, a multiple of four."""


def check_count(count: int, max_files: int) -> None:
    """Check that a request has at most `max_files` picture files, before an object is made for each of them.

    Raises:
        TooLarge: if it has more.

    """
    if count > max_files:
        message = f"{count:,} pictures are more than {max_files:,}, the most that one request may have."
        raise TooLarge(message)


def decode_bytes_tensor(raw: memoryview, count: int) -> list[bytes]:
    """Decode the elements of a BYTES tensor: each has a length in 4 bytes, little-endian, and then its bytes.

    Raises:
        MalformedRequest: if there are not `count` elements, or one extends past the end.

    """
    elements: list[bytes] = []
    start = 0
    while start < len(raw) and len(elements) <= count:
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(raw, start)[0] if begin <= len(raw) else begin
        if end > len(raw):
            message = f"Element {len(elements)} of the BYTES tensor extends past the end of its {len(raw):,} bytes."
            raise MalformedRequest(message)
        elements.append(bytes(raw[begin:end]))
        start = end
    if len(elements) != count:
        message = (
            f"The BYTES tensor has {'more' if len(elements) > count else 'fewer'} elements than its shape: {count}."
        )
        raise MalformedRequest(message)
    return elements


def encode_bytes_tensor(elements: list[bytes]) -> bytes:
    """Encode the elements of a BYTES tensor, each as its length in 4 bytes, little-endian, and its bytes."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


async def decode_base64(text: object) -> bytes:
    """Decode a picture file from a base64 string in JSON.

    Raises:
        MalformedRequest: if it is not a base64 string.

    """
    try:
        return await _decode(text if isinstance(text, str) else "?")
    except (binascii.Error, ValueError) as error:
        message = "A picture in JSON is a base64 string. This one is not."
        raise MalformedRequest(message) from error


async def _decode(text: str) -> bytes:
    if len(text) <= _CHUNK_CHARACTERS:
        return base64.b64decode(text, validate=True)
    if text.find("=", 0, -2) >= 0:  # padding is valid at the end of the text, and not at the end of a piece
        raise ValueError
    pieces = []
    start = 0
    while len(text) - start > _CHUNK_CHARACTERS + 4:  # so that the padding is not a piece of its own
        pieces.append(base64.b64decode(text[start : start + _CHUNK_CHARACTERS], validate=True))
        start += _CHUNK_CHARACTERS
        await asyncio.sleep(0)
    pieces.append(base64.b64decode(text[start:], validate=True))
    return b"".join(pieces)
