"""Reads one JSON object that a stranger wrote. Knows nothing of what it should hold."""

import re
from typing import Any

import numpy as np
import orjson

from app.errors import MalformedRequest

DEEPEST = 100

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1


def read_object(text: bytes) -> dict[str, Any]:
    """Parse `text`, which must be one JSON object.

    Raises:
        MalformedRequest: if it is not, or is nested more than DEEPEST deep.

    """
    try:
        found = orjson.loads(text)  # gives up by itself long before its own stack is full
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error}."
        raise MalformedRequest(message) from error
    if not isinstance(found, dict):
        message = f"The body is JSON, but not an object: expected {{...}}, not {_short(found)}."
        raise MalformedRequest(message)
    if _is_deeper(text, DEEPEST):
        message = f"The JSON is nested more than {DEEPEST} deep. Tensors need 3 levels, or 1 if they are sent flat."
        raise MalformedRequest(message)
    return found


def _is_deeper(text: bytes, deepest: int) -> bool:
    """Tell whether JSON, which must be valid, is nested more deeply, at the pace of memory rather than of Python."""
    if text.count(b"[") + text.count(b"{") <= deepest:
        return False
    # The expression takes linear time because every string ends: the text has been parsed.
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    return bool(_STEPS[np.frombuffer(brackets, np.uint8)].cumsum(dtype=np.int32).max() > deepest)


def _short(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:37]}..."
