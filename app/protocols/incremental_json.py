"""Parses a large JSON text in pieces, and lets the event loop run after each piece. Knows nothing of its content.

Long arrays of numbers and long strings are cut out of the text and parsed separately. The remaining text must be short.
"""

import asyncio
import re
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest, TooLarge
from app.protocols.json_text import parse
from app.protocols.number_array import parse_numbers

STRING_PIECE_BYTES = 1 << 16
"""Bytes of a string that are decoded in one step. A remaining text of this size is always accepted."""
MIN_CUT_BYTES = 1024
"""Shorter arrays and strings are parsed with the remaining text."""
_ALWAYS_ALLOWED_DELIMITERS = 10_000
_BYTES_PER_DELIMITER = 256
"""A text may have one delimiter, a quote or brace, per 256 bytes, and always _ALWAYS_ALLOWED_DELIMITERS. If each image
is an object of its own, a text has one delimiter per 400 bytes."""
_REMAINING_DIVISOR = 16
"""A sixteenth of a text may remain. If each image is an object of its own, a fortieth does."""
_STEP = 2000
"""Spans or values that are processed in one step."""

_PLAIN = re.compile(rb"[^\\\x80-\xff]{12}")
"""After 12 plain characters, a string can be split: no escape sequence or surrogate pair spans them."""
_SEARCH_BYTES = 4096
"""How far to search for a place where a string can be split."""


async def parse_large(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON. Long arrays of numbers become NumPy arrays, uint8 or float64.

    Raises:
        MalformedRequest: if it is not JSON or is nested too deeply, or if a long array without strings and objects is
            not a regular array of numbers.
        TooLarge: if it has more strings, objects and lists than a text of its size may have.

    """
    max_delimiters = max(_ALWAYS_ALLOWED_DELIMITERS, len(text) // _BYTES_PER_DELIMITER)
    delimiters = await _find_delimiters(text, max_delimiters)
    token = secrets.token_hex(8)  # which the client cannot know
    remaining: list[bytes] = []
    cut: list[object] = []
    done = paused = 0
    for step, (start, end, quoted) in enumerate(_spans(text, delimiters)):
        if step % _STEP == 0 or end - paused > STRING_PIECE_BYTES:
            await asyncio.sleep(0)
            paused = end
        begin, stop = (start - 1, end + 1) if quoted else _array_within(text, start, end)
        if stop - begin < MIN_CUT_BYTES:
            continue
        remaining += [text[done:begin], (b'"%s%d"' if quoted else b'{"%s":%d}') % (token.encode(), len(cut))]
        cut.append(await (_decode_string(text, start, end) if quoted else parse_numbers(text, begin, stop)))
        done = stop
    remaining.append(text[done:])
    parsed = _parse_remaining(
        b"".join(remaining), max(STRING_PIECE_BYTES, len(text) // _REMAINING_DIVISOR), max_delimiters
    )
    await asyncio.sleep(0)
    return await _reinsert(parsed, token, cut)


async def _find_delimiters(text: bytes, max_delimiters: int) -> NDArray[np.intp]:
    """Find the positions of the quotes and braces."""
    characters = np.frombuffer(text, np.uint8)
    found = characters == ord('"')
    for brace in b"{}":
        await asyncio.sleep(0)
        found |= characters == brace
    count = int(np.count_nonzero(found))
    if count > max_delimiters:
        message = (
            f"The JSON has {count:,} quotes and braces. A text of {len(text):,} bytes may have {max_delimiters:,}. "
            "Send images as arrays of numbers, or as binary tensors."
        )
        raise TooLarge(message)
    await asyncio.sleep(0)
    return np.flatnonzero(found)


def _spans(text: bytes, delimiters: NDArray[np.intp]) -> Iterator[tuple[int, int, bool]]:
    """Yield the start and end of each string, without its quotes, and of the text between strings and braces.

    The third value tells whether it is a string.
    """
    quoted = False
    start = before = 0
    for delimiter in delimiters.tolist():
        quote = text[delimiter] == ord('"')
        if quoted and not (quote and not _is_escaped(text, before, delimiter)):
            before = delimiter + 1
            continue
        yield start, delimiter, quoted
        quoted = quote and not quoted
        start = before = delimiter + 1
    yield start, len(text), False  # an unterminated string too: parsing refuses it


def _is_escaped(text: bytes, start: int, end: int) -> bool:
    if text[end - 1] != ord("\\") or end == start:
        return False
    before = np.frombuffer(text, np.uint8)[start:end]
    is_other = np.append(before[::-1] != ord("\\"), [True])
    return bool(np.argmax(is_other) % 2)


def _array_within(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Find the array in a span without strings and objects; an empty range if there is none."""
    if end - start < MIN_CUT_BYTES:
        return start, start
    begin = text.find(b"[", start, end)
    return (begin, text.rfind(b"]", begin, end) + 1) if begin >= 0 else (start, start)


async def _decode_string(text: bytes, start: int, end: int) -> str:
    parts = []
    while start < end:
        stop = _find_split(text, start, end)
        parts.append(parse(b'"%s"' % text[start:stop], is_whole=False))
        start = stop
        if start < end:
            await asyncio.sleep(0)
    return "".join(parts)


def _find_split(text: bytes, start: int, end: int) -> int:
    """Find a position, at least STRING_PIECE_BYTES after the start, where a string can be split."""
    if end - start <= 2 * STRING_PIECE_BYTES:
        return end
    plain = _PLAIN.search(text, start + STRING_PIECE_BYTES, start + STRING_PIECE_BYTES + _SEARCH_BYTES)
    if plain is None:
        message = (
            f"A string in the JSON has {end - start:,} bytes and no 12 plain ASCII characters in a row in "
            f"{_SEARCH_BYTES:,} of them. Long strings are picture files in base64."
        )
        raise MalformedRequest(message)
    return plain.end()


def _parse_remaining(text: bytes, max_bytes: int, max_values: int) -> Any:  # noqa: ANN401 - any JSON value
    if len(text) > max_bytes:
        message = (
            f"The JSON has {len(text):,} bytes besides its arrays of numbers and its long strings. A text of its size "
            f"may have {max_bytes:,}."
        )
        raise TooLarge(message)
    values = text.count(b",") + text.count(b"[")
    if values > max_values:
        message = (
            f"The JSON has {values:,} values besides its arrays of numbers and its long strings. A text of its size "
            f"may have {max_values:,}."
        )
        raise TooLarge(message)
    return parse(text, is_whole=False)


async def _reinsert(parsed: object, token: str, cut: list[object]) -> Any:  # noqa: ANN401 - any JSON value
    """Replace the placeholders of strings, `"<token><index>"`, and arrays, `{"<token>": <index>}`, by their values."""
    root = [parsed]
    containers: list[Any] = [root]
    count = 0
    while containers:
        container = containers.pop()
        count += len(container)
        if count > _STEP:
            await asyncio.sleep(0)
            count = 0
        if isinstance(container, dict):
            _reinsert_names(container, token, cut)
        for key, value in list(enumerate(container) if isinstance(container, list) else container.items()):
            match value:
                case str() if value.startswith(token):
                    container[key] = cut[int(value.removeprefix(token))]
                case dict() if token in value:
                    container[key] = cut[value[token]]
                case dict() | list():
                    containers.append(value)
    return root[0]


def _reinsert_names(members: dict[Any, Any], token: str, cut: list[object]) -> None:
    for name in [name for name in members if name.startswith(token)]:
        members[cut[int(name.removeprefix(token))]] = members.pop(name)
