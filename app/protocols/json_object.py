"""Reads one JSON object that a stranger wrote. Knows nothing of what it should hold."""

import reprlib
from typing import Any

from app.errors import MalformedRequest
from app.protocols.incremental_json import parse_large
from app.protocols.json_text import parse

LARGE = 1 << 16
"""In bytes: a longer text is parsed in pieces. One of this size takes 3 ms at most."""
_MOST_LISTS = 5000
"""Lists and objects in a text that is parsed at once: each takes 60 bytes and more, and as few as 3 in the text."""


async def read_object(text: bytes) -> dict[str, Any]:
    """Parse `text`, which must be one JSON object.

    One of more than LARGE bytes, or with very many lists, is parsed in pieces; `parse_large` says which of its arrays
    are NumPy arrays then.

    Raises:
        MalformedRequest: if it is not an object, or what `parse` and `parse_large` raise.
        TooLarge: if it has more strings, objects and lists than a body of its size may have.

    """
    found = await parse_large(text) if _is_large(text) else parse(text)
    if not isinstance(found, dict):
        message = f"The body is JSON, but not an object: expected {{...}}, not {brief(found)}."
        raise MalformedRequest(message)
    return found


def _is_large(text: bytes) -> bool:
    if len(text) <= 2 * _MOST_LISTS:
        return False
    return len(text) > LARGE or text.count(b"[") + text.count(b"{") > _MOST_LISTS


def brief(value: object) -> str:
    """Write a value of JSON for a message, however large it is."""
    return f"{reprlib.repr(value):.40}"
