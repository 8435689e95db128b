import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from app.errors import MalformedRequest
from app.inference.engines import Images
from app.protocols import tensors
from app.protocols.tensors import flatten
from tests.app.turns import Steps


def images_from_buffer(raw: memoryview, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_buffer(raw, datatype, shape))


def images_from_numbers(data: object, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_numbers(data, datatype, shape))


def images_from_rows(rows: Any, row_shape: tuple[int, ...]) -> Images:  # noqa: ANN401 - any JSON value
    return asyncio.run(tensors.images_from_rows(rows, row_shape))


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
SHAPE = IMAGES.shape
FRACTIONS = (IMAGES / 255).astype("<f4")


def test_bytes_are_converted_to_images() -> None:
    assert (images_from_buffer(memoryview(IMAGES.tobytes()), "UINT8", SHAPE) == IMAGES).all()
    assert (images_from_buffer(memoryview(FRACTIONS.tobytes()), "FP32", SHAPE) == IMAGES).all()


def test_nested_and_flat_numbers_are_converted_to_images() -> None:
    for data in (IMAGES.tolist(), IMAGES.ravel().tolist()):
        assert (images_from_numbers(data, "UINT8", SHAPE) == IMAGES).all()
    for data in (FRACTIONS.tolist(), FRACTIONS.ravel().tolist()):
        assert (images_from_numbers(data, "FP32", SHAPE) == IMAGES).all()


def test_integers_in_rows_are_ink_to_255_and_decimals_to_1() -> None:
    assert (images_from_rows(IMAGES.tolist(), (28, 28)) == IMAGES).all()
    assert (images_from_rows(IMAGES.reshape(3, 784).tolist(), (784,)) == IMAGES).all()
    assert (images_from_rows(FRACTIONS.tolist(), (28, 28)) == IMAGES).all()


@pytest.mark.parametrize("shape", [(), (28, 28), (0, 28, 28), (1, 28, 27), (1, 28, 28, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    data = [0] * math.prod(shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_numbers(data, "UINT8", shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_buffer(memoryview(bytes(data)), "UINT8", shape)


@pytest.mark.parametrize("value", [256, -1, 0.5, "0", None, [0], {}])
def test_a_value_that_is_not_uint8_is_refused(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "UINT8", (1, 28, 28))


@pytest.mark.parametrize("value", [1.01, -0.5, "0.5", None, True, [0.5], 1e39])
def test_a_value_that_is_not_from_0_to_1_is_refused_in_fp32(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "FP32", (1, 28, 28))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-3, 1.001])
def test_fp32_bytes_out_of_range_are_refused(value: float) -> None:
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
def test_the_error_names_a_value_out_of_range_in_rows_and_no_datatype(values: list[object], named: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        images_from_rows([values + [0] * (784 - len(values))], (784,))
    assert str(caught.value).startswith(f"A value of the images is {named}. Expected integers from 0 to 255. If")
    assert "UINT8" not in str(caught.value)
    assert "FP32" not in str(caught.value)


def test_arrays_and_lists_give_the_same_images() -> None:
    for array in (IMAGES, IMAGES / 255, IMAGES // 200):
        rows = array.reshape(3, 784)
        for data in (array, array.ravel()):
            datatype: tensors.Datatype = "UINT8" if array.dtype == np.uint8 else "FP32"
            expected = images_from_numbers(data.tolist(), datatype, SHAPE)
            assert (images_from_numbers(data, datatype, SHAPE) == expected).all()
        for data in (rows, list(rows)):
            assert (images_from_rows(data, (784,)) == images_from_rows(rows.tolist(), (784,))).all()
    ones = IMAGES // 200
    assert (images_from_numbers(ones, "FP32", SHAPE) == images_from_numbers(ones.tolist(), "FP32", SHAPE)).all()
    assert (images_from_rows([ones[0], ones[1] / 2], (28, 28))[1] == np.rint(ones[1] / 2 * 255)).all()


@pytest.mark.parametrize(
    ("data", "datatype", "expected"),
    [
        (IMAGES[:2], "UINT8", "axis 0"),
        (IMAGES.ravel()[:-1], "UINT8", "2,351"),
        (IMAGES / 1.0, "UINT8", "UINT8"),
        (IMAGES / 254, "FP32", "0 to 1.0039"),
        (IMAGES, "FP32", "0 to 255"),
    ],
)
def test_wrong_arrays_and_lists_are_refused_alike(data: Any, datatype: tensors.Datatype, expected: str) -> None:  # noqa: ANN401
    for each in (data, data.tolist()):
        with pytest.raises(MalformedRequest, match=expected):
            images_from_numbers(each, datatype, SHAPE)


def test_wrong_rows_are_refused() -> None:
    for rows in (IMAGES[..., np.newaxis], [IMAGES[0], IMAGES[:1]], [IMAGES[0], IMAGES[1].tolist()], [IMAGES[0], 1]):
        with pytest.raises(MalformedRequest, match=r"\[28, 28\]|axis 3"):
            images_from_rows(rows, (28, 28))
    wrong = IMAGES / 255
    wrong[2, 27, 27] = 7
    with pytest.raises(MalformedRequest, match=r"A value of the images is 7\. Expected"):
        images_from_rows(wrong, (28, 28))


async def _hold(coroutine: Coroutine[Any, Any, object]) -> float:
    steps = Steps(coroutine)
    await steps
    return steps.longest


@pytest.mark.alone
def test_converting_thousands_of_images_does_not_block_the_event_loop() -> None:
    fractions = np.random.default_rng(0).random((5000, 28, 28), np.float32)
    started = time.thread_time()
    expected = np.rint(fractions * 255).astype(np.uint8)
    reference = time.thread_time() - started
    raw = memoryview(fractions.tobytes())
    assert (images_from_buffer(raw, "FP32", fractions.shape) == expected).all()
    assert asyncio.run(_hold(tensors.images_from_buffer(raw, "FP32", fractions.shape))) < reference
