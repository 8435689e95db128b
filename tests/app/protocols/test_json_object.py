import asyncio
from typing import Any

import pytest

from app.errors import MalformedRequest
from app.protocols import json_object
from app.protocols.json_text import MAX_DEPTH


def parse_object(text: bytes) -> dict[str, Any]:
    return asyncio.run(json_object.parse_object(text))


def nested(depth: int) -> bytes:
    """Write an object that is nested to this depth, itself included."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_an_object_is_parsed() -> None:
    assert parse_object(b'{"a": [1, {"b": "[[["}]}') == {"a": [1, {"b": "[[["}]}


@pytest.mark.parametrize("text", [b"", b"[1]", b"7", b"{", b'{"a": NaN}', b"\xff", b'{"\xff": 1}', b"null"])
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedRequest, match="JSON"):
        parse_object(text)


def test_deeper_nesting_than_the_maximum_is_refused() -> None:
    assert parse_object(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 500, 100_000):
        with pytest.raises(MalformedRequest):
            parse_object(nested(depth))


def test_brackets_side_by_side_and_in_strings_do_not_count_as_depth() -> None:
    assert len(parse_object(b'{"a": [' + b",".join([b"[1]"] * 1000) + b"]}")["a"]) == 1000
    assert parse_object(b'{"a": "' + b'[\\"{' * 1000 + b'"}')
