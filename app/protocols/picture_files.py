"""Extracts picture files from BYTES tensors and base64, and encodes BYTES tensors. Does not decode the pictures.

Long base64 strings are decoded in pieces, and the event loop runs after each piece.
"""

import asyncio
import base64
import binascii
import struct

from app.errors import MalformedRequest, TooLarge
from app.protocols.json_object import short_repr

_LENGTH = struct.Struct("<I")
_CHUNK_CHARACTERS = 1 << 16
"""Of base64 that are decoded in one step."""
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
"""Translates the alphabet of URLs to the standard one (RFC 4648, sections 4 and 5)."""
_WHITE_SPACE = b" \t\r\n\v\f"
_MAX_PADDING = 2
_EARLY_PADDING = "it has more than two characters of padding, or padding before its end"
_MAX_DATA_URL_HEAD = 256
"""In characters, of the part of a data URL before the comma."""


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

    White space is skipped, padding may be missing, and the alphabet of URLs is accepted, as TensorFlow Serving does. A
    data URL in base64 is decoded too.

    Raises:
        MalformedRequest: if it is not a base64 string.

    """
    if not isinstance(text, str):
        message = f"A picture in JSON is a base64 string, not {short_repr(text)}."
        raise MalformedRequest(message)
    try:
        return await _decode(text[_start_of_data(text) :].encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        message = f"A picture in JSON is a base64 string. {short_repr(text)} is not: {_reason(error)}."
        raise MalformedRequest(message) from error


def _start_of_data(text: str) -> int:
    """Return where the base64 of a data URL (RFC 2397) begins; 0 if the text is no data URL."""
    if text[:5].lower() != "data:":
        return 0
    head, comma, _ = text[:_MAX_DATA_URL_HEAD].partition(",")
    if not comma or not head.lower().rstrip().endswith(";base64"):
        message = (
            f"The data URL {short_repr(head)} is not in base64. Send the file in base64, or 'data:<type>;base64,' and "
            "then the file in base64."
        )
        raise MalformedRequest(message)
    return len(head) + 1


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"it has the character {error.object[error.start]!r}"
    return str(error)


async def _decode(text: bytes) -> bytes:
    pieces = []
    rest = b""  # of the pieces before: less than four characters, as four are three bytes
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        if start:
            await asyncio.sleep(0)
        piece = rest + text[start : start + _CHUNK_CHARACTERS].translate(_STANDARD_ALPHABET, _WHITE_SPACE)
        if b"=" in piece:  # padding ends the text, but for white space
            end = start + _CHUNK_CHARACTERS
            if len(text) > end + _CHUNK_CHARACTERS:
                raise binascii.Error(_EARLY_PADDING)
            rest = piece + text[end:].translate(_STANDARD_ALPHABET, _WHITE_SPACE)
            break
        end = len(piece) - len(piece) % 4
        pieces.append(base64.b64decode(piece[:end], validate=True))
        rest = piece[end:]
    return b"".join([*pieces, _decode_last(rest)])


def _decode_last(text: bytes) -> bytes:
    """Decode the last characters, whose padding may be missing."""
    digits = text.rstrip(b"=")
    if b"=" in digits or len(text) - len(digits) > _MAX_PADDING:
        raise binascii.Error(_EARLY_PADDING)
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
