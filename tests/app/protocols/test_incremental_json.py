import asyncio
import base64
import json
import time
import tracemalloc
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import MalformedRequest, TooLarge
from app.protocols import incremental_json, number_array
from app.protocols.incremental_json import parse_large
from tests.app.turns import Steps

pytestmark = pytest.mark.anyio

MEGABYTES = 4 * 10**6
ROW = b"[%s]" % b",".join([b"0"] * 28)
IMAGE = b"[%s]" % b",".join([ROW] * 28)


def listed(element: bytes) -> bytes:
    """Write an object with a list that repeats this element."""
    return b'{"a":[' + (element + b",") * (MEGABYTES // (len(element) + 1)) + element + b"]}"


def with_lists(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Convert arrays to lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: with_lists(each) for key, each in value.items()}
    return [with_lists(each) for each in value] if isinstance(value, list) else value


async def test_long_arrays_of_numbers_become_numpy_arrays_and_nothing_else_changes() -> None:
    numbers = list(range(256)) * 4
    text = json.dumps({"a": [{"b": numbers, "c": "[" * 2000}, None], "d" * 2000: [0.5] * 1000, "e": [1, 2]}).encode()
    found = await parse_large(text)
    assert found["a"][0]["b"].dtype == np.uint8
    assert found["d" * 2000].dtype == np.float64
    assert found["e"] == [1, 2]
    assert with_lists(found) == orjson.loads(text)


TEXTS = st.text(st.sampled_from('a"\\[]{},é😀\n/'), max_size=30)
NUMBERS = st.integers(0, 255) | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
REGULAR = st.tuples(st.integers(1, 4), st.integers(1, 4), st.lists(NUMBERS, min_size=16, max_size=16)).map(
    lambda drawn: [drawn[2][: drawn[1]]] * drawn[0]
)
VALUES = st.recursive(
    st.none() | TEXTS | NUMBERS | REGULAR | st.lists(NUMBERS, max_size=20),
    lambda inner: st.lists(st.dictionaries(TEXTS, inner, max_size=3), max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_the_result_is_the_same_as_with_orjson(value: object, ascii_: bool, indent: int) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=ascii_, indent=indent).encode()
    try:
        found = parse_in_small_pieces(text, 400)
    except MalformedRequest:
        with pytest.raises(AssertionError):  # only irregular arrays and invalid numbers are refused
            assert regular(json.loads(text))
        return
    assert found == orjson.loads(text)


def parse_in_small_pieces(text: bytes, piece: int) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental_json, "MIN_CUT_BYTES", 4)
        patch.setattr(number_array, "PIECE_BYTES", piece)
        return with_lists(asyncio.run(parse_large(text)))


def regular(value: object) -> bool:
    """Tell whether every list has only objects, or is a regular array of valid numbers."""
    if isinstance(value, dict):
        return all(map(regular, value.values()))
    if not isinstance(value, list) or not value:
        return not isinstance(value, list)
    if all(isinstance(each, dict) for each in value):
        return all(map(regular, value))
    try:
        return bool(np.array(value, np.float64).size) and np.array(value, np.float64).ndim < 9
    except (ValueError, TypeError, OverflowError):
        return False


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_text_is_refused_or_parsed_as_by_orjson(data: st.DataObject) -> None:
    text = b'{"aaaa":[[0,10,2.5],[1,2,3]],"bbbb":"x\\"[1,2]\\\\","cccc":{"dddd":[1,2,3,4]}}'
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(
        st.sampled_from([b"", b"[", b"]", b"{", b"}", b'"', b"\\", b",", b" ", b"1", b"-", b".", b"e", b"]["])
    )
    damaged = text[:at] + put + text[at + data.draw(st.integers(0, 1)) :]
    try:
        found = parse_in_small_pieces(damaged, 8)
    except MalformedRequest:
        return
    assert found == orjson.loads(damaged)


@pytest.mark.parametrize("element", [b"[]", b"{}", b'""', b"null", b"true", b'{"a":0}', b"[[],[]]", b'{"b64":""}'])
async def test_a_huge_number_of_small_elements_is_refused_before_they_are_made(element: bytes) -> None:
    text = listed(element)
    tracemalloc.start()
    try:
        with pytest.raises((TooLarge, MalformedRequest)):
            await parse_large(text)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


async def test_the_error_names_the_number_and_the_limit() -> None:
    with pytest.raises(TooLarge, match=r"has 2,666,\d\d\d quotes and braces.*may have 15,625"):
        await parse_large(listed(b"{}")[:4_000_000])
    with pytest.raises(TooLarge, match=r"values besides"):
        await parse_large(b'{"a":[' + b"{}," + b"0," * 20_000 + b'{}],"b":"' + b"x" * 10**6 + b'"}')
    with pytest.raises(TooLarge, match=r"has 2,000,\d\d\d bytes besides"):
        await parse_large(b'{"a":' + b" " * 2_000_000 + b"1}")


LARGE = {
    "images": b'{"a":[%s]}' % b",".join([IMAGE] * 2500),
    "flat": b'{"a":[%s]}' % b",".join([b"0.1"] * 10**6),
    "columns": listed(b"[0]"),
    "objects": b'{"a":[%s]}' % b",".join([b'{"images":%s}' % IMAGE] * 2400),
    "picture": b'{"a":"%s"}' % base64.b64encode(bytes(3 * 10**6)),
    "escapes": b'{"a":"%s"}' % (b"\\u1234" * 700_000),
    "backslashes": b'{"a":"%s"}' % (b"\\\\" * 2_000_000),
    "digits": b'{"a":[1%s,2]}' % (b"0" * MEGABYTES),
    "brackets": b'{"a":%s}' % (b"[" * 2_000_000 + b"]" * 2_000_000),
    "commas": listed(b""),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", LARGE)
async def test_parsing_does_not_block_the_event_loop_and_memory_is_bounded(name: str) -> None:
    text = LARGE[name]
    started = time.thread_time()
    orjson.loads(LARGE["images"])
    reference = time.thread_time() - started
    steps = Steps(parse_large(text))
    try:
        await steps
    except (MalformedRequest, TooLarge):
        assert name not in {"images", "flat", "columns", "objects", "picture"}
    assert steps.longest < reference / 2  # 140 ms here, and the longest step 8 ms
    assert steps.count > 50 or name not in {"images", "flat", "columns", "objects"}
    tracemalloc.start()
    try:
        await parse_large(text)
    except (MalformedRequest, TooLarge):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 7 * len(text)
