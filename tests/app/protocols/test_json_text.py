import pytest

from app.errors import MalformedRequest
from app.protocols.json_text import DEEPEST, parse


def test_an_error_names_its_place_in_a_whole_text_only() -> None:
    with pytest.raises(MalformedRequest, match="line 1 column 5"):
        parse(b'{"a"}')
    with pytest.raises(MalformedRequest, match=r"[^)]\.$"):
        parse(b'{"a"}', is_whole=False)


def test_depth_is_counted_outside_of_strings() -> None:
    brackets = "[" * 2 * DEEPEST
    assert parse(f'"{brackets}"'.encode()) == brackets
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)
    with pytest.raises(MalformedRequest, match="100 deep"):
        parse(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))
