from typing import Any

import numpy as np
import pytest

from app.errors import MalformedRequest, TooLarge
from app.grpc.stubs import tensorflow_pb2 as messages
from app.grpc.tensor_messages import from_example, from_examples, from_tensor, to_tensor

pytestmark = pytest.mark.anyio


def tensor(dtype: str, *shape: int, **members: object) -> messages.TensorProto:
    sizes = {"dim": [{"size": size} for size in shape]}
    return messages.TensorProto(dtype=messages.DataType.Value(dtype), tensor_shape=sizes, **members)


async def convert(tensor: messages.TensorProto) -> np.ndarray | list[bytes]:
    return await from_tensor(tensor, "images", max_repeated=2)


@pytest.mark.parametrize(
    ("dtype", "field", "numpy_type"),
    [
        ("DT_UINT8", "int_val", np.uint8),
        ("DT_INT8", "int_val", np.int8),
        ("DT_UINT16", "int_val", np.uint16),
        ("DT_INT16", "int_val", np.int16),
        ("DT_INT32", "int_val", np.int32),
        ("DT_INT64", "int64_val", np.int64),
        ("DT_UINT32", "uint32_val", np.uint32),
        ("DT_UINT64", "uint64_val", np.uint64),
        ("DT_FLOAT", "float_val", np.float32),
        ("DT_DOUBLE", "double_val", np.float64),
    ],
)
async def test_numbers_are_taken_from_their_field_and_from_the_content(
    dtype: str, field: str, numpy_type: type[np.generic]
) -> None:
    values = np.arange(6, dtype=numpy_type).reshape(2, 3)
    for members in ({field: values.ravel().tolist()}, {"tensor_content": values.tobytes()}):
        found = await convert(tensor(dtype, 2, 3, **members))
        assert found.dtype == numpy_type
        assert (found == values).all()


async def test_the_last_value_is_repeated() -> None:
    found = await convert(tensor("DT_UINT8", 2, 28, 28, int_val=[1, 2]))
    assert found.ravel()[:3].tolist() == [1, 2, 2]
    assert found.shape == (2, 28, 28)


async def test_a_scalar_has_one_axis() -> None:
    assert (await convert(tensor("DT_FLOAT", float_val=[0.5]))).shape == (1,)
    assert await convert(tensor("DT_STRING", string_val=[b"file"])) == [b"file"]


async def test_strings_are_picture_files() -> None:
    assert await convert(tensor("DT_STRING", 2, 1, string_val=[b"a", b"b"])) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (tensor("DT_UINT8", 1, 28, 28), "has 0 values in int_val, and its shape [1, 28, 28] has 784"),
        (tensor("DT_UINT8", 1, int_val=[1, 2]), "has 2 values"),
        (tensor("DT_UINT8", 1, int_val=[256]), "values from 256 to 256, which uint8 cannot hold"),
        (tensor("DT_INT8", 1, int_val=[-129]), "which int8 cannot hold"),
        (tensor("DT_UINT8", 2, tensor_content=b"abc"), "has 3 bytes in tensor_content; DT_UINT8 of shape [2] has 2"),
        (tensor("DT_FLOAT", 2**40, tensor_content=b"abc"), "has 3 bytes"),
        (tensor("DT_FLOAT", 0, float_val=[1]), "its shape [0] has 0"),
        (tensor("DT_FLOAT", -1, float_val=[1]), "none below 0"),
        (tensor("DT_FLOAT", 2**62, 2**62, float_val=[1]), "more elements than can be counted"),
        (tensor("DT_FLOAT", *[1] * 9, float_val=[1]), "at most 8 sizes"),
        (tensor("DT_STRING", 2, string_val=[b"a"]), "has 1 values in string_val, and its shape [2] has 2"),
        (tensor("DT_BOOL", 1), "The type of 'images' is DT_BOOL. Expected one of DT_FLOAT"),
        (messages.TensorProto(dtype=999), "The type of 'images' is 999."),
    ],
)
async def test_values_that_do_not_fit_are_refused(wrong: messages.TensorProto, words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        await convert(wrong)
    assert words in str(caught.value)


async def test_a_value_is_not_repeated_for_many_images() -> None:
    with pytest.raises(TooLarge, match="at most 2 images"):
        await convert(tensor("DT_UINT8", 2**40, 28, 28, int_val=[0]))


async def test_an_output_is_a_tensor_of_floats() -> None:
    values = np.arange(20, dtype=np.float32).reshape(2, 10)
    found = await to_tensor(values)
    assert (found.dtype, list(found.float_val)) == (messages.DT_FLOAT, values.ravel().tolist())
    assert [dim.size for dim in found.tensor_shape.dim] == [2, 10]


def example(**features: object) -> messages.Example:
    return messages.Example(features={"feature": features})


async def test_features_are_arrays_and_picture_files() -> None:
    floats, ints, file = (
        {"float_list": {"value": [0.5]}},
        {"int64_list": {"value": [7]}},
        {"bytes_list": {"value": [b"x"]}},
    )
    found = await from_examples([example(images=floats), example(images=ints, image=file), *[example()] * 100])
    assert found[0]["images"].tolist() == [0.5]
    assert found[1]["images"].tolist() == [7]
    assert found[1]["image"] == b"x"
    assert found[2:] == [{}] * 100


@pytest.mark.parametrize(
    ("feature", "words"), [({}, "images has no value"), ({"bytes_list": {"value": [b"", b""]}}, "has 2 values")]
)
def test_a_feature_without_a_single_value_is_refused(feature: dict[str, Any], words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        from_example(example(images=feature), "examples[0]")
    assert words in str(caught.value)
