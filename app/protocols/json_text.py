"""Parses a short JSON text at once, its nesting bounded. Knows nothing of what it should hold."""

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


def parse(text: bytes, *, is_whole: bool = True) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Parse JSON.

    Args:
        text: some 100 kB at most, as nothing else runs meanwhile.
        is_whole: whether this is the whole body, so that an error can say where in the body it is.

    Raises:
        MalformedRequest: if it is not JSON, or is nested more than DEEPEST deep.

    """
    try:
        found = orjson.loads(text)  # gives up by itself long before its own stack is full
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error if is_whole else error.msg}."
        raise MalformedRequest(message) from error
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
    return bool(_STEPS[np.frombuffer(brackets, np.uint8)].cumsum(dtype=np.int32).max(initial=0) > deepest)
