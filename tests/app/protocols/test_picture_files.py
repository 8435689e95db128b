import asyncio
import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest, TooLarge
from app.protocols import picture_files
from app.protocols.picture_files import check_count, decode_bytes_tensor, encode_bytes_tensor


def decode_base64(text: object) -> bytes:
    return asyncio.run(picture_files.decode_base64(text))


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_an_encoded_bytes_tensor_is_decoded_to_the_same_elements(files: list[bytes]) -> None:
    raw = memoryview(encode_bytes_tensor(files))
    assert decode_bytes_tensor(raw, len(files)) == files
    with pytest.raises(MalformedRequest):
        decode_bytes_tensor(raw, len(files) + 1)
    if files:
        with pytest.raises(MalformedRequest):
            decode_bytes_tensor(raw, len(files) - 1)
        with pytest.raises(MalformedRequest):
            decode_bytes_tensor(raw[:-1], len(files))


def test_an_element_that_extends_past_the_end_is_refused() -> None:
    for raw in (struct.pack("<I", 2**32 - 1), b"\x01", b""):
        with pytest.raises(MalformedRequest):
            decode_bytes_tensor(memoryview(raw), 1)


def test_too_many_files_are_refused() -> None:
    check_count(3, 3)
    with pytest.raises(TooLarge, match="4 pictures are more than 3"):
        check_count(4, 3)


@pytest.mark.parametrize("size", [0, 1, 2, 49_151, 49_152, 49_153, 200_000])
def test_long_base64_is_decoded_in_pieces(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == data
    for wrong in ("=" + text[1:] + "A", text[: len(text) // 2] + "==" + text[len(text) // 2 :] + "A", text + "?"):
        with pytest.raises(MalformedRequest, match="base64"):
            decode_base64(wrong)


def test_a_picture_is_a_base64_string() -> None:
    assert decode_base64(base64.b64encode(b"picture").decode()) == b"picture"
    for text in (None, 7, "?", "YQ", "ä"):
        with pytest.raises(MalformedRequest, match="base64"):
            decode_base64(text)
