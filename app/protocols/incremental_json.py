"""Parses a large JSON text in pieces, between which the event loop runs. Knows nothing of what it should hold.

Long arrays of numbers and long strings are cut out and parsed apart. What is left is short, or the text is refused.
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

PIECE = 1 << 16
"""Bytes of a string that are decoded in one step, and what may always be left of a text."""
SHORTEST = 1024
"""Bytes: shorter arrays and strings are parsed with the rest."""
_FEWEST = 10_000
_BYTES_EACH = 256
"""A text may have one quote or brace for so many bytes, and _FEWEST in any case. Where each image is an object of its
own, there is one for 400 bytes."""
_REST = 16
"""The part of a text that may be left: a sixteenth. Where each image is an object of its own, it is a fortieth."""
_TURNS = 2000
"""Quotes and braces that are looked at in one step."""

_PLAIN = re.compile(rb"[^\\\x80-\xff]{12}")
"""After so many characters no escape is under way, nor a pair of them."""
_SOON = 4096


async def parse_large(text: bytes) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Parse JSON, whose long arrays of numbers become NumPy arrays, uint8 or float64.

    Raises:
        MalformedRequest: if it is not JSON, or an array in it that is long and has neither a string nor an object is
            not one of numbers that are nested regularly, or if it is nested too deeply.
        TooLarge: if it has more strings, objects and lists than a text of its size may have.

    """
    most = max(_FEWEST, len(text) // _BYTES_EACH)
    common_headers = await _find_marks(text, most)
    token = secrets.token_hex(8)  # which the text cannot have
    rest: list[bytes] = []
    cut: list[object] = []
    done = paused = 0
    for turn, (start, end, quoted) in enumerate(_stretches(text, common_headers)):
        if turn % _TURNS == 0 or end - paused > PIECE:
            await asyncio.sleep(0)
            paused = end
        begin, stop = (start - 1, end + 1) if quoted else _array_within(text, start, end)
        if stop - begin < SHORTEST:
            continue
        rest += [text[done:begin], (b'"%s%d"' if quoted else b'{"%s":%d}') % (token.encode(), len(cut))]
        cut.append(await (_decode_string(text, start, end) if quoted else parse_numbers(text, begin, stop)))
        done = stop
    rest.append(text[done:])
    parsed = _parse_rest(b"".join(rest), max(PIECE, len(text) // _REST), most)
    await asyncio.sleep(0)
    return await _put_back(parsed, token, cut)


async def _find_marks(text: bytes, most: int) -> NDArray[np.intp]:
    """Find where the quotes and braces are."""
    characters = np.frombuffer(text, np.uint8)
    found = characters == ord('"')
    for brace in b"{}":
        await asyncio.sleep(0)
        found |= characters == brace
    count = int(np.count_nonzero(found))
    if count > most:
        message = (
            f"The JSON has {count:,} quotes and braces. A text of {len(text):,} bytes may have {most:,}. Send images "
            "as arrays of numbers, or as binary tensors."
        )
        raise TooLarge(message)
    await asyncio.sleep(0)
    return np.flatnonzero(found)


def _stretches(text: bytes, common_headers: NDArray[np.intp]) -> Iterator[tuple[int, int, bool]]:
    """Give all strings without their quotes, and what is between them and the braces: start, end, whether a string."""
    quoted = False
    start = before = 0
    for mark in common_headers.tolist():
        quote = text[mark] == ord('"')
        if quoted and not (quote and not _is_escaped(text, before, mark)):
            before = mark + 1
            continue
        yield start, mark, quoted
        quoted = quote and not quoted
        start = before = mark + 1
    yield start, len(text), False  # also where a string does not end, which is then found not to be JSON


def _is_escaped(text: bytes, start: int, end: int) -> bool:
    if text[end - 1] != ord("\\") or end == start:
        return False
    before = np.frombuffer(text, np.uint8)[start:end]
    is_other = np.append(before[::-1] != ord("\\"), [True])
    return bool(np.argmax(is_other) % 2)


def _array_within(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Find the array in a stretch that has neither strings nor objects; an empty range if there is none."""
    if end - start < SHORTEST:
        return start, start
    begin = text.find(b"[", start, end)
    return (begin, text.rfind(b"]", begin, end) + 1) if begin >= 0 else (start, start)


async def _decode_string(text: bytes, start: int, end: int) -> str:
    parts = []
    while start < end:
        stop = _cut_string(text, start, end)
        parts.append(parse(b'"%s"' % text[start:stop], is_whole=False))
        start = stop
        if start < end:
            await asyncio.sleep(0)
    return "".join(parts)


def _cut_string(text: bytes, start: int, end: int) -> int:
    """Find a place, some PIECE behind the start, where a string can be cut."""
    if end - start <= 2 * PIECE:
        return end
    plain = _PLAIN.search(text, start + PIECE, start + PIECE + _SOON)
    if plain is None:
        message = (
            f"A string in the JSON has {end - start:,} bytes and no 12 characters of plain ASCII in {_SOON:,} of them. "
            "Long strings are picture files in base64."
        )
        raise MalformedRequest(message)
    return plain.end()


def _parse_rest(text: bytes, longest: int, most: int) -> Any:  # noqa: ANN401 - whatever JSON can be
    if len(text) > longest:
        message = (
            f"The JSON has {len(text):,} bytes beside its arrays of numbers and its long strings. A text of its size "
            f"may have {longest:,}."
        )
        raise TooLarge(message)
    values = text.count(b",") + text.count(b"[")
    if values > most:
        message = (
            f"The JSON has {values:,} values beside its arrays of numbers and its long strings. A text of its size may "
            f"have {most:,}."
        )
        raise TooLarge(message)
    return parse(text, is_whole=False)


async def _put_back(parsed: object, token: str, cut: list[object]) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Put the strings, `"<token><index>"`, and the arrays, `{"<token>": <index>}`, where they were cut out."""
    whole = [parsed]
    owners: list[Any] = [whole]
    turns = 0
    while owners:
        owner = owners.pop()
        turns += len(owner)
        if turns > _TURNS:
            await asyncio.sleep(0)
            turns = 0
        if isinstance(owner, dict):
            _put_names_back(owner, token, cut)
        for key, value in list(enumerate(owner) if isinstance(owner, list) else owner.items()):
            match value:
                case str() if value.startswith(token):
                    owner[key] = cut[int(value.removeprefix(token))]
                case dict() if token in value:
                    owner[key] = cut[value[token]]
                case dict() | list():
                    owners.append(value)
    return whole[0]


def _put_names_back(owner: dict[Any, Any], token: str, cut: list[object]) -> None:
    for name in [name for name in owner if name.startswith(token)]:
        owner[cut[int(name.removeprefix(token))]] = owner.pop(name)
