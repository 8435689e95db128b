import asyncio
import base64
import struct
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest, TooLarge
from app.protocols import picture_files
from app.protocols.picture_files import check_count, decode_bytes_tensor, encode_bytes_tensor
from tests.app.turns import Steps


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


def wrap(text: str, end: str) -> str:
    return end.join(text[start : start + 76] for start in range(0, len(text), 76)) + end


@pytest.mark.parametrize("size", [0, 1, 2, 3, 49_151, 49_152, 49_153, 200_000])
def test_base64_is_decoded_in_all_forms_that_clients_send(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    text = base64.b64encode(data).decode()
    forms = [text, wrap(text, "\n"), wrap(text, "\r\n"), f" {text}\t", text.rstrip("="), wrap(text.rstrip("="), "\n")]
    forms += [base64.urlsafe_b64encode(data).decode(), base64.urlsafe_b64encode(data).decode().rstrip("=")]
    forms += [f"data:image/png;base64,{text}", f"DATA:image/png;charset=x;Base64,{wrap(text, chr(10))}"]
    for form in forms:
        assert decode_base64(form) == data


@pytest.mark.parametrize("size", [0, 1, 2, 49_151, 49_152, 49_153, 200_000])
def test_a_text_that_is_not_base64_is_refused(size: int) -> None:
    text = base64.b64encode(np.random.default_rng(size).bytes(size)).decode()
    middle = len(text) // 2
    for wrong in (f"={text[1:]}A", f"{text[:middle]}=={text[middle:]}A", f"{text}?", f"{text}====", f"{text}é"):
        with pytest.raises(MalformedRequest, match="base64"):
            decode_base64(wrong)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is a base64 string, not None"),
        (7, "is a base64 string, not 7"),
        ("?", "'?' is not: Only base64 data is allowed"),
        ("Y", "'Y' is not: "),
        ("ä", "it has the character 'ä'"),
        ("YQ===", "more than two characters of padding"),
        ("data:image/png,%89PNG", "The data URL 'data:image/png' is not in base64"),
        ("data:image/svg+xml;utf8,<svg/>", "Send the file in base64"),
        ("data:" + "x" * 10**6, "is not in base64"),
    ],
)
def test_the_error_says_why_a_text_is_not_a_picture_in_base64(text: object, words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        decode_base64(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.alone
def test_decoding_base64_does_not_block_the_event_loop() -> None:
    text = wrap(base64.b64encode(bytes(6_000_000)).decode(), "\n")
    for form in (text, text[:100_000] + "=" + text[100_000:], "=" + text):
        started = time.thread_time()
        base64.b64decode(text)
        reference = time.thread_time() - started
        steps = Steps(picture_files.decode_base64(form))
        with suppress(MalformedRequest):
            asyncio.run(_run(steps))
        assert steps.longest < reference


async def _run(steps: Steps) -> None:
    await steps
