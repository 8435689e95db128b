"""Parses one array of numbers in JSON, nested regularly, in pieces. Knows nothing of the text around it.

No list and no Python number is kept: 8 MB of text take 4 MB, or 32 MB where numbers have a decimal point.
"""

import asyncio
import math
from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import MalformedRequest

Numbers = NDArray[np.uint8] | NDArray[np.float64]
"""uint8 where all numbers are whole, 0 to 255; else float64, exact to 2**53."""

PIECE = 1 << 16
"""Bytes of text that are parsed in one step, which takes some 3 ms."""
MOST_AXES = 8

_BLANKS = b" \t\r\n"
_NUMBER = b"0123456789+-.eE"
_KINDS = bytes(byte if byte in b"[]," else ord("0" if byte in _NUMBER else "?") for byte in range(256))
"""Writes each character of a number as 0, and what belongs into no array of numbers as ?."""
_FLAT = bytes.maketrans(b"[]", b"  ")


async def parse_numbers(text: bytes, start: int, end: int) -> Numbers:
    """Parse the array that `text` has from `start` to `end`, letting the event loop run after each piece.

    Returns:
        The numbers, in the shape in which they are nested.

    Raises:
        MalformedRequest: if they are not nested regularly, or something is not a number as JSON has it.

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
    """Cut at commas, which are left out."""
    while end - start > PIECE:
        comma = text.rfind(b",", start, start + PIECE)
        if comma < 0:
            message = f"A number in the JSON has more than {PIECE:,} characters, with the blanks round it."
            raise MalformedRequest(message)
        yield start, comma
        start = comma + 1
    yield start, end


async def _find_shape(text: bytes, start: int, end: int) -> tuple[int, ...]:
    """Find how the numbers are nested, from the brackets and commas alone."""
    parts = []
    for begin, stop in _pieces(text, start, end):
        if begin > start:
            await asyncio.sleep(0)
        kinds = text[begin:stop].translate(_KINDS, _BLANKS)
        # With these, each number stands within the innermost brackets. That there is one between two commas, and no
        # more than one, is seen when it is parsed.
        if any(wrong in kinds for wrong in (b"]0", b"0[", b"[]", b"?")):
            raise _irregular()
        parts.append(kinds.translate(None, b"0"))
    return await _shape_of(b",".join(parts))


async def _shape_of(brackets: bytes) -> tuple[int, ...]:
    """Find the shape, from the innermost axis to the outermost: all lists of one axis are written alike."""
    depth = len(brackets) - len(brackets.lstrip(b"["))
    if not 1 <= depth <= MOST_AXES:
        raise _irregular()
    lengths: list[int] = []
    item = b""
    for level in range(1, depth + 1):
        if len(brackets) > PIECE:
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
        # With blanks behind the bracket, orjson would expect many more of them, and run out of memory without them.
        values = orjson.loads(b"[" + text.translate(_FLAT).lstrip() + b"]")
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: an array of numbers in it has an error: {error.msg}."
        raise MalformedRequest(message) from error
    try:
        return np.frombuffer(bytes(values), np.uint8)
    except (TypeError, ValueError):  # a number with a decimal point, or out of range
        return np.fromiter(values, np.float64, len(values))


async def _widen(numbers: Numbers, filled: int) -> Numbers:
    wide = np.empty(len(numbers), np.float64)
    for start in range(0, filled, PIECE):
        stop = min(start + PIECE, filled)
        wide[start:stop] = numbers[start:stop]
        await asyncio.sleep(0)
    return wide


def _irregular() -> MalformedRequest:
    return MalformedRequest(
        "An array in the JSON is not one of numbers that are nested regularly. Expected numbers only, and lists of "
        f"one length on each of at most {MOST_AXES} axes."
    )
