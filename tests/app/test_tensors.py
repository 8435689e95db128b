import asyncio
import base64
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import tensors
from app.engine import Images
from app.errors import MalformedRequest
from app.tensors import (
    encode_bytes,
    files_from_buffer,
    flatten,
)


def images_from_buffer(raw: memoryview, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_buffer(raw, datatype, shape))


def images_from_numbers(data: object, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_numbers(data, datatype, shape))


def images_from_rows(rows: Any, row_shape: tuple[int, ...]) -> Images:  # noqa: ANN401 - whatever JSON can be
    return asyncio.run(tensors.images_from_rows(rows, row_shape))


def file_from_base64(text: object) -> bytes:
    return asyncio.run(tensors.file_from_base64(text))


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
SHAPE = IMAGES.shape
SHARES = (IMAGES / 255).astype("<f4")


def test_bytes_are_images() -> None:
    assert (images_from_buffer(memoryview(IMAGES.tobytes()), "UINT8", SHAPE) == IMAGES).all()
    assert (images_from_buffer(memoryview(SHARES.tobytes()), "FP32", SHAPE) == IMAGES).all()


def test_numbers_are_images_nested_or_flat() -> None:
    for data in (IMAGES.tolist(), IMAGES.ravel().tolist()):
        assert (images_from_numbers(data, "UINT8", SHAPE) == IMAGES).all()
    for data in (SHARES.tolist(), SHARES.ravel().tolist()):
        assert (images_from_numbers(data, "FP32", SHAPE) == IMAGES).all()


def test_whole_numbers_in_rows_are_ink_to_255_and_others_to_1() -> None:
    assert (images_from_rows(IMAGES.tolist(), (28, 28)) == IMAGES).all()
    assert (images_from_rows(IMAGES.reshape(3, 784).tolist(), (784,)) == IMAGES).all()
    assert (images_from_rows(SHARES.tolist(), (28, 28)) == IMAGES).all()


@pytest.mark.parametrize("shape", [(), (28, 28), (0, 28, 28), (1, 28, 27), (1, 28, 28, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    data = [0] * math.prod(shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_numbers(data, "UINT8", shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_buffer(memoryview(bytes(data)), "UINT8", shape)


@pytest.mark.parametrize("value", [256, -1, 0.5, "0", None, [0], {}])
def test_what_is_no_uint8_is_refused(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "UINT8", (1, 28, 28))


@pytest.mark.parametrize("value", [1.01, -0.5, "0.5", None, True, [0.5], 1e39])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "FP32", (1, 28, 28))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-3, 1.001])
def test_shares_in_bytes_are_bounded(value: float) -> None:
    with pytest.raises(MalformedRequest, match=r"0\.0 to 1\.0"):
        images_from_buffer(memoryview(np.full(784, value, "<f4").tobytes()), "FP32", (1, 28, 28))


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "x",
        [],
        [1],
        [[1]],
        [[1, 2], [3]],
        [[1, 2], 3],
        [[1, 2, 3], [4]],
        ["ab", "cd"],
    ],
)
def test_data_of_another_shape_is_refused(data: object) -> None:
    with pytest.raises(MalformedRequest):
        flatten(data, (3, 2))


def test_rows_of_another_shape_are_refused() -> None:
    for rows in ([], [1], [[0] * 784], [[[0] * 28] * 28, []], [{"images": []}]):
        with pytest.raises(MalformedRequest):
            images_from_rows(rows, (28, 28))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([300], "300"),
        ([0, -1], "-1"),
        (["0"], '"0"'),
        ([None], "null"),
        ([1.5], "1.5"),
        ([0.5, 2], "2"),
        ([0.5, True], "true"),
    ],
)
def test_a_value_out_of_range_in_rows_is_named_without_a_datatype(values: list[object], named: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        images_from_rows([values + [0] * (784 - len(values))], (784,))
    assert str(caught.value).startswith(f"A value of the images is {named}. Expected ink as whole numbers 0 to 255 or")
    assert "UINT8" not in str(caught.value)
    assert "FP32" not in str(caught.value)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_bytes_tensors_come_back_as_they_were_written(files: list[bytes]) -> None:
    raw = memoryview(encode_bytes(files))
    assert files_from_buffer(raw, len(files)) == files
    with pytest.raises(MalformedRequest):
        files_from_buffer(raw, len(files) + 1)
    if files:
        with pytest.raises(MalformedRequest):
            files_from_buffer(raw, len(files) - 1)
        with pytest.raises(MalformedRequest):
            files_from_buffer(raw[:-1], len(files))


def test_a_length_past_the_end_is_refused() -> None:
    for raw in (struct.pack("<I", 2**32 - 1), b"\x01", b""):
        with pytest.raises(MalformedRequest):
            files_from_buffer(memoryview(raw), 1)


def test_pictures_in_base64() -> None:
    assert file_from_base64(base64.b64encode(b"picture").decode()) == b"picture"
    for text in (None, 7, "?", "YQ", "ä"):
        with pytest.raises(MalformedRequest, match="base64"):
            file_from_base64(text)
