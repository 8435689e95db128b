import pytest

from app.errors import MalformedRequest
from app.protocols.json_text import MAX_DEPTH, parse


def test_an_error_gives_the_position_in_a_whole_text_only() -> None:
    with pytest.raises(MalformedRequest, match="line 1 column 5"):
        parse(b'{"a"}')
    with pytest.raises(MalformedRequest, match=r"[^)]\.$"):
        parse(b'{"a"}', is_whole=False)


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    brackets = "[" * 2 * MAX_DEPTH
    assert parse(f'"{brackets}"'.encode()) == brackets
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(MalformedRequest, match="100 deep"):
        parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
