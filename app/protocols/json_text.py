"""Parses a short JSON text with bounded nesting. Knows nothing of its content."""

import re
from typing import Any

import numpy as np
import orjson

from app.errors import MalformedRequest

MAX_DEPTH = 100

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1


def parse(text: bytes, *, is_whole: bool = True) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON.

    Args:
        text: at most some 100 kB, because the event loop is blocked meanwhile.
        is_whole: whether this is the whole body, so that an error message can give the position in the body.

    Raises:
        MalformedRequest: if it is not JSON, or is nested deeper than MAX_DEPTH.

    """
    try:
        value = orjson.loads(text)  # refuses nesting that would overflow its stack
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error if is_whole else error.msg}."
        raise MalformedRequest(message) from error
    if _is_deeper(text, MAX_DEPTH):
        message = f"The JSON is nested more than {MAX_DEPTH} deep. Tensors need 3 levels, or 1 if they are sent flat."
        raise MalformedRequest(message)
    return value


def _is_deeper(text: bytes, depth: int) -> bool:
    """Tell whether valid JSON is nested deeper than `depth`, without a Python loop over its characters."""
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    # The regular expression takes linear time because every string is terminated: the text has been parsed.
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    return bool(_STEPS[np.frombuffer(brackets, np.uint8)].cumsum(dtype=np.int32).max(initial=0) > depth)
