"""Parses the JSON object of an untrusted request. Knows nothing of its members."""

import reprlib
from typing import Any

from app.errors import MalformedRequest
from app.protocols.incremental_json import parse_large
from app.protocols.json_text import parse

LARGE_BYTES = 1 << 16
"""A longer text is parsed in pieces. One of this size takes 3 ms at most."""
_MAX_LISTS = 5000
"""Lists and objects in a text that is parsed in one step. Each takes 60 bytes of memory or more, and 3 of text."""


async def parse_object(text: bytes) -> dict[str, Any]:
    """Parse `text`, which must be a JSON object.

    A text of more than LARGE_BYTES, or with very many lists, is parsed in pieces. Some of its arrays are NumPy arrays
    then: see `parse_large`.

    Raises:
        MalformedRequest: if it is not a JSON object.
        TooLarge: if it has more strings, objects and lists than a text of its size may have.

    """
    value = await parse_large(text) if _is_large(text) else parse(text)
    if not isinstance(value, dict):
        message = f"The body is JSON, but not an object: expected {{...}}, not {short_repr(value)}."
        raise MalformedRequest(message)
    return value


def _is_large(text: bytes) -> bool:
    if len(text) <= 2 * _MAX_LISTS:
        return False
    return len(text) > LARGE_BYTES or text.count(b"[") + text.count(b"{") > _MAX_LISTS


def short_repr(value: object) -> str:
    """Format a JSON value for an error message, in at most 40 characters."""
    return f"{reprlib.repr(value):.40}"
