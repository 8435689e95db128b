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
from tests.app.turns import Steps


def images_from_buffer(raw: memoryview, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_buffer(raw, datatype, shape))


def images_from_numbers(data: object, datatype: tensors.Datatype, shape: tuple[int, ...]) -> Images:
    return asyncio.run(tensors.images_from_numbers(data, datatype, shape, advice=ADVICE))


def images_from_rows(rows: Any) -> Images:  # noqa: ANN401 - any JSON value
    return asyncio.run(tensors.images_from_rows(rows, "instances", advice=ADVICE))


ADVICE = "Send pictures elsewhere."


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


@pytest.mark.parametrize("shape", [(3, 784), (2352,), (3, 14, 56), (1, 3, 28, 28, 1)])
def test_numbers_may_be_nested_in_another_way_than_their_shape(shape: tuple[int, ...]) -> None:
    for data in (IMAGES.reshape(shape), IMAGES.reshape(shape).tolist()):
        assert (images_from_numbers(data, "UINT8", SHAPE) == IMAGES).all()


def test_whole_numbers_with_a_decimal_point_are_uint8_too() -> None:
    for data in ((IMAGES / 1.0).tolist(), IMAGES / 1.0):
        assert (images_from_numbers(data, "UINT8", SHAPE) == IMAGES).all()


ROW_SHAPES = [(28, 28), (28, 28, 1), (1, 28, 28), (784,), (1, 784), (784, 1)]


@pytest.mark.parametrize("row_shape", ROW_SHAPES)
def test_rows_are_images_with_and_without_an_axis_of_channels(row_shape: tuple[int, ...]) -> None:
    for array in (IMAGES, IMAGES / 255, IMAGES / 1.0):
        rows = array.reshape(3, *row_shape)
        for data in (rows, list(rows), rows.tolist()):
            assert (images_from_rows(data) == IMAGES).all()


def test_each_image_of_rows_is_decided_by_its_own_values() -> None:
    ones = (IMAGES[0] > 127).astype(int)
    others = [IMAGES[1].tolist(), (IMAGES[1] / 255).tolist(), (IMAGES[1] / 1.0).tolist(), ones.tolist()]
    for value in (ones, ones / 1.0, ones.astype(np.uint8)):
        for other in others:
            assert (images_from_rows([value.tolist(), other])[0] == 255 * ones).all()
            assert (images_from_rows(np.array([value, np.array(other)]))[0] == 255 * ones).all()
    for other in others[:3]:
        assert (images_from_rows([ones.tolist(), other])[1] == IMAGES[1]).all()


def test_a_blank_image_is_blank() -> None:
    for zero in (0, 0.0, -0.0):
        assert not images_from_rows([[zero] * 784]).any()


@pytest.mark.parametrize("shape", [(), (28, 28), (0, 28, 28), (1, 28, 27), (1, 28, 28, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    data = [0] * math.prod(shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_numbers(data, "UINT8", shape)
    with pytest.raises(MalformedRequest, match=r"Expected \[n, 28, 28\]"):
        images_from_buffer(memoryview(bytes(data)), "UINT8", shape)


@pytest.mark.parametrize("shape", [(28, 28), (784,), (2, 784), (2, 28, 28, 1), (2, 1, 28, 28)])
def test_a_refused_shape_of_images_comes_with_the_shape_to_send(shape: tuple[int, ...]) -> None:
    with pytest.raises(MalformedRequest) as caught:
        images_from_numbers([], "UINT8", shape)
    assert f"is {list(shape)}" in str(caught.value)
    assert f"with the shape [{math.prod(shape) // 784}, 28, 28]" in str(caught.value)


@pytest.mark.parametrize("value", [256, -1, 0.5, 255.5, "0", None, True, [0, 0], {}, 10**400])
def test_a_value_that_is_not_uint8_is_refused(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "UINT8", (1, 28, 28))


@pytest.mark.parametrize("value", [1.01, -0.5, "0.5", None, True, [0.5, 0.5], 1e39, 10**400])
def test_a_value_that_is_not_from_0_to_1_is_refused_in_fp32(value: object) -> None:
    with pytest.raises(MalformedRequest):
        images_from_numbers([value] * 784, "FP32", (1, 28, 28))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-3, 1.001])
def test_fp32_bytes_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(MalformedRequest, match=r"0\.0 to 1\.0"):
        images_from_buffer(memoryview(np.full(784, value, "<f4").tobytes()), "FP32", (1, 28, 28))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "must be in a list, not None"),
        ({}, "must be in a list"),
        ("x", f"must be in a list, not 'x'. {ADVICE}"),
        ([], "the shape [0] and 0 values"),
        ([[]], "the shape [1, 0]"),
        ([1] * 783, "the shape [783] and 783 values. A tensor of shape [1, 28, 28] has 784"),
        ([[1] * 28] * 27, "the shape [27, 28] and 756"),
        ([[1, 2], [3]], "not nested regularly"),
        ([[1, 2], 3], "not nested regularly"),
        (["ab"] * 784, f'"ab" is not a number. {ADVICE}'),
        ([True] * 784, "true is not a number. Send 1 and 0"),
        ([0] * 783 + [None], "null is not a number"),
        ([[0] * 783, {}], "not nested regularly"),
        ([0] * 783 + [{}], "An object is not a number"),
    ],
)
def test_the_error_says_what_is_wrong_with_the_data_of_a_tensor(data: object, words: str) -> None:
    for datatype in ("UINT8", "FP32"):
        with pytest.raises(MalformedRequest) as caught:
            images_from_numbers(data, datatype, (1, 28, 28))  # type: ignore[arg-type]  # both are datatypes
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "There is no image"),
        ([1], "'instances' is a list of 1 numbers. It must be a list of images"),
        ([0.5] * 784, "'instances' has the shape [784], that of a single image"),
        ([[0] * 28] * 28, "'instances' has the shape [28, 28], that of a single image"),
        ([[[0]] * 28] * 28, "'instances' has the shape [28, 28, 1], that of a single image"),
        ([[0] * 783], "Each image has the shape [783]. Expected 28 rows of 28 numbers, or 784 numbers."),
        ([[[0] * 27] * 28], "Each image has the shape [28, 27]"),
        ([[[[0] * 3] * 28] * 28], "[28, 28, 3]. Expected 28 rows of 28 numbers, or 784 numbers. Convert colour"),
        ([[[[0] * 28] * 28] * 3], ADVICE),
        ([[[0] * 28] * 28, []], "not nested regularly"),
        ([[[0] * 28] * 28, [0] * 784], "not nested regularly"),
        ([[[0] * 28] * 27 + [[0] * 29]], "not nested regularly"),
        (["aWJ2"], f'"aWJ2" is not a number. {ADVICE}'),
        ([{"images": []}], "An object is not a number"),
    ],
)
def test_the_error_says_what_is_wrong_with_the_shape_of_rows(rows: list[object], words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        images_from_rows(rows)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([300], "A value of instances[1] is 300. Expected ink from 0.0 to 1.0, or whole numbers from 0 to 255."),
        ([0, -1], "A value of instances[1] is -1."),
        ([0.5, -0.25], "A value of instances[1] is -0.25."),
        ([1.5], "instances[1] has both the values 1.5 and 1.5."),
        ([0.5, 200], "instances[1] has both the values 0.5 and 200."),
        ([200, 0.5, -3], "instances[1]"),
        ([True], "true is not a number"),
        ([0.5, True], "true is not a number"),
        (["0"], '"0" is not a number'),
        ([None], "null is not a number"),
        ([10**400], "too large"),
    ],
)
def test_the_error_names_the_image_and_the_value_and_no_datatype(values: list[object], words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        images_from_rows([[0] * 784, values + [0] * (784 - len(values))])
    assert words in str(caught.value)
    assert "UINT8" not in str(caught.value)
    assert "FP32" not in str(caught.value)


def test_arrays_and_lists_give_the_same_images() -> None:
    for array in (IMAGES, IMAGES / 255, IMAGES // 200):
        for data in (array, array.ravel()):
            datatype: tensors.Datatype = "UINT8" if array.dtype == np.uint8 else "FP32"
            expected = images_from_numbers(data.tolist(), datatype, SHAPE)
            assert (images_from_numbers(data, datatype, SHAPE) == expected).all()
    ones = IMAGES // 200
    assert (images_from_numbers(ones, "FP32", SHAPE) == images_from_numbers(ones.tolist(), "FP32", SHAPE)).all()
    assert (images_from_rows([ones[0], ones[1] / 2])[1] == np.rint(ones[1] / 2 * 255)).all()


@pytest.mark.parametrize(
    ("data", "datatype", "expected"),
    [
        (IMAGES[:2], "UINT8", r"shape \[2, 28, 28\] and 1,568"),
        (IMAGES.ravel()[:-1], "UINT8", "2,351"),
        (IMAGES / 2, "UINT8", r"not \d+\.5\. Send ink"),
        (IMAGES / 254, "FP32", "0 to 1.0039"),
        (IMAGES, "FP32", "0 to 255"),
    ],
)
def test_wrong_arrays_and_lists_are_refused_alike(data: Any, datatype: tensors.Datatype, expected: str) -> None:  # noqa: ANN401
    for each in (data, data.tolist()):
        with pytest.raises(MalformedRequest, match=expected):
            images_from_numbers(each, datatype, SHAPE)


def test_wrong_rows_are_refused() -> None:
    for rows in ([IMAGES[0], IMAGES[:1]], [IMAGES[0], IMAGES[1].tolist()], [IMAGES[0], 1]):
        with pytest.raises(MalformedRequest, match="not nested regularly"):
            images_from_rows(rows)
    wrong = np.repeat(IMAGES / 255, 200, axis=0)
    wrong[500, 27, 27] = 7
    for each in (wrong, list(wrong)):
        with pytest.raises(MalformedRequest, match=r"instances\[500\] has both the values 0\.\d+ and 7\."):
            images_from_rows(each)


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
