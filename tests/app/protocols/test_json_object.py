import asyncio
from typing import Any

import pytest

from app.errors import MalformedRequest
from app.protocols import json_object
from app.protocols.json_text import DEEPEST


def read_object(text: bytes) -> dict[str, Any]:
    return asyncio.run(json_object.read_object(text))


def nested(depth: int) -> bytes:
    """Write an object of so many levels in all, itself included."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_an_object_is_read() -> None:
    assert read_object(b'{"a": [1, {"b": "[[["}]}') == {"a": [1, {"b": "[[["}]}


@pytest.mark.parametrize("text", [b"", b"[1]", b"7", b"{", b'{"a": NaN}', b"\xff", b'{"\xff": 1}', b"null"])
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedRequest, match="JSON"):
        read_object(text)


def test_depth_is_bounded() -> None:
    assert read_object(nested(DEEPEST))
    for depth in (DEEPEST + 1, 500, 100_000):
        with pytest.raises(MalformedRequest):
            read_object(nested(depth))


def test_many_brackets_side_by_side_or_in_strings_are_not_deep() -> None:
    assert len(read_object(b'{"a": [' + b",".join([b"[1]"] * 1000) + b"]}")["a"]) == 1000
    assert read_object(b'{"a": "' + b'[\\"{' * 1000 + b'"}')
