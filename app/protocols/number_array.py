"""Parses a regularly nested JSON array of numbers into a NumPy array, in pieces. Knows nothing of the text around it.

No Python list of the whole array is made. So 8 MB of text, which contain at most four million numbers, take 4 MB of
memory as uint8, or 32 MB as float64.
"""

import asyncio
import math
from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import MalformedRequest

Numbers = NDArray[np.uint8] | NDArray[np.float64]
"""uint8 if all numbers are integers from 0 to 255; otherwise float64, which is exact up to 2**53."""

PIECE_BYTES = 1 << 16
"""Bytes of text that are parsed in one step, which takes some 3 ms."""
CHUNK_VALUES = 1 << 16
"""Numbers of an array that are converted in one step."""
MAX_AXES = 8

_WHITESPACE = b" \t\r\n"
_NUMBER = b"0123456789+-.eE"
_KINDS = bytes(byte if byte in b"[]," else ord("0" if byte in _NUMBER else "?") for byte in range(256))
"""Translates each character of a number to 0, and characters that no array of numbers has to ?."""
_FLAT = bytes.maketrans(b"[]", b"  ")
_NOT_NUMBERS = (
    "An array of numbers in the JSON has an element that is not a number. Send 1 and 0 instead of true and false, and "
    "no null."
)


async def parse_numbers(text: bytes, start: int, end: int) -> Numbers:
    """Parse the array between `start` and `end` in `text`. The event loop runs after each piece.

    Returns:
        An array with an axis for each level of nesting.

    Raises:
        MalformedRequest: if the array is not nested regularly, or an element is not a JSON number.

    """
    shape = await _find_shape(text, start, end)
    numbers: Numbers = np.empty(math.prod(shape), np.uint8)
    filled = 0
    for begin, stop in _pieces(text, start, end):
        if begin > start:
            await asyncio.sleep(0)
        piece = _parse_piece(text[begin:stop])
        if filled + len(piece) > len(numbers):
            raise _irregular()
        if piece.dtype != numbers.dtype and numbers.dtype == np.uint8:
            numbers = await _widen(numbers, filled)
        numbers[filled : filled + len(piece)] = piece
        filled += len(piece)
    if filled < len(numbers):
        raise _irregular()
    return numbers.reshape(shape)


def _pieces(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of pieces of the text, split at commas. The commas are left out."""
    while end - start > PIECE_BYTES:
        comma = text.rfind(b",", start, start + PIECE_BYTES)
        if comma < 0:
            message = f"A number in the JSON has more than {PIECE_BYTES:,} characters, with the whitespace around it."
            raise MalformedRequest(message)
        yield start, comma
        start = comma + 1
    yield start, end


async def _find_shape(text: bytes, start: int, end: int) -> tuple[int, ...]:
    """Find the shape of the array from its brackets and commas alone."""
    parts = []
    for begin, stop in _pieces(text, start, end):
        if begin > start:
            await asyncio.sleep(0)
        kinds = text[begin:stop].translate(_KINDS, _WHITESPACE)
        # Numbers must be in innermost lists only. The parser checks later that there is exactly one number between
        # two commas.
        if b"?" in kinds:
            raise MalformedRequest(_NOT_NUMBERS)
        if any(wrong in kinds for wrong in (b"]0", b"0[", b"[]")):
            raise _irregular()
        parts.append(kinds.translate(None, b"0"))
    return await _shape_of(b",".join(parts))


async def _shape_of(brackets: bytes) -> tuple[int, ...]:
    """Find the shape from the innermost axis to the outermost: all lists of one axis have the same brackets."""
    depth = len(brackets) - len(brackets.lstrip(b"["))
    if not 1 <= depth <= MAX_AXES:
        raise _irregular()
    lengths: list[int] = []
    item = b""
    for level in range(1, depth + 1):
        if len(brackets) > PIECE_BYTES:
            await asyncio.sleep(0)
        first = brackets[depth - level : brackets.find(b"]" * level) + level]
        length = (len(first) - 1) // (len(item) + 1)
        item = b"[%s]" % ((item + b",") * length)[:-1]
        if item != first:
            raise _irregular()
        lengths.insert(0, length)
    if item != brackets:
        raise _irregular()
    return tuple(lengths)


def _parse_piece(text: bytes) -> Numbers:
    try:
        # With whitespace after the bracket, orjson takes the JSON for indented, reserves too little memory and fails.
        values = orjson.loads(b"[" + text.translate(_FLAT).lstrip() + b"]")
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: an array of numbers in it is invalid: {error.msg}."
        raise MalformedRequest(message) from error
    try:
        return np.frombuffer(bytes(values), np.uint8)
    except (TypeError, ValueError):  # a number with a decimal point, or out of range
        return np.fromiter(values, np.float64, len(values))


async def _widen(numbers: Numbers, filled: int) -> Numbers:
    wide = np.empty(len(numbers), np.float64)
    for start in range(0, filled, CHUNK_VALUES):
        stop = min(start + CHUNK_VALUES, filled)
        wide[start:stop] = numbers[start:stop]
        await asyncio.sleep(0)
    return wide


def _irregular() -> MalformedRequest:
    return MalformedRequest(
        "An array in the JSON is not a regular array of numbers. Expected numbers only, and lists of the same length "
        f"on each of at most {MAX_AXES} axes."
    )
