"""Converts tensors and examples of TensorFlow to arrays and picture files, and arrays to tensors. Knows no models."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest, TooLarge
from app.grpc.infer_messages import NUMBERS_IN_STEP, to_array
from app.grpc.stubs import tensorflow_pb2 as messages

_MAX_AXES = 8
_PIXELS = 28 * 28
_EXAMPLES_IN_STEP = 64
_NUMBERS: Mapping[int, tuple[str, str]] = {
    messages.DT_FLOAT: ("<f4", "float_val"),
    messages.DT_DOUBLE: ("<f8", "double_val"),
    messages.DT_INT8: ("<i1", "int_val"),
    messages.DT_UINT8: ("<u1", "int_val"),
    messages.DT_INT16: ("<i2", "int_val"),
    messages.DT_UINT16: ("<u2", "int_val"),
    messages.DT_INT32: ("<i4", "int_val"),
    messages.DT_INT64: ("<i8", "int64_val"),
    messages.DT_UINT32: ("<u4", "uint32_val"),
    messages.DT_UINT64: ("<u8", "uint64_val"),
}
"""For each type, its type in NumPy, also in `tensor_content`, and the field of its values."""


async def from_tensor(tensor: messages.TensorProto, name: str, *, max_repeated: int) -> NDArray[Any] | list[bytes]:
    """Convert an input.

    Args:
        tensor: the input. If it has fewer values than its shape, the last one is repeated, as in TensorFlow.
        name: of the input, for messages.
        max_repeated: how many images it may then have.

    Returns:
        An array with at least one axis, or the picture files of a tensor of type DT_STRING.

    Raises:
        MalformedRequest: if its type is not supported, or its values do not fit its type and its shape.
        TooLarge: if a value is repeated for more images.

    """
    shape = _shape(tensor, name)
    if tensor.dtype == messages.DT_STRING:
        if len(tensor.string_val) != math.prod(shape):
            message = (
                f"'{name:.40}' has {len(tensor.string_val):,} values in string_val, and its shape {list(shape)} has "
                f"{math.prod(shape):,}."
            )
            raise MalformedRequest(message)
        return list(tensor.string_val)
    if tensor.dtype not in _NUMBERS:
        types = ", ".join(messages.DataType.Name(dtype) for dtype in _NUMBERS)
        message = (
            f"The type of '{name:.40}' is {_type_name(tensor.dtype)}. Expected one of {types} for images, or DT_STRING "
            "for picture files."
        )
        raise MalformedRequest(message)
    dtype, field = _NUMBERS[tensor.dtype]
    if tensor.tensor_content:
        return _from_content(tensor, name, np.dtype(dtype), shape)
    values = getattr(tensor, field)
    count = math.prod(shape)
    if not 1 <= len(values) <= count:
        message = (
            f"'{name:.40}' has {len(values):,} values in {field}, and its shape {list(shape)} has {count:,}. Send "
            "its values in tensor_content or in this field."
        )
        raise MalformedRequest(message)
    if len(values) < count > max_repeated * _PIXELS:
        message = (
            f"'{name:.40}' has {len(values):,} values for {count:,}. The last value is repeated for at most "
            f"{max_repeated} images. Send all values."
        )
        raise TooLarge(message)
    return await _from_values(values, name, np.dtype(dtype), shape)


def _type_name(dtype: int) -> str:
    return messages.DataType.Name(dtype) if dtype in messages.DataType.values() else str(dtype)


def _shape(tensor: messages.TensorProto, name: str) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or len(shape) > _MAX_AXES or any(size < 0 for size in shape):
        message = f"The tensor_shape of '{name:.40}' must have at most {_MAX_AXES} sizes, none below 0."
        raise MalformedRequest(message)
    if math.prod(shape) >= 2**63:
        message = f"The tensor_shape of '{name:.40}' has more elements than can be counted in 64 bits."
        raise MalformedRequest(message)
    return shape or (1,)


def _from_content(
    tensor: messages.TensorProto, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    content, expected = tensor.tensor_content, math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        message = (
            f"'{name:.40}' has {len(content):,} bytes in tensor_content; {_type_name(tensor.dtype)} of shape "
            f"{list(shape)} has {expected:,}."
        )
        raise MalformedRequest(message)
    return np.frombuffer(content, dtype).reshape(shape)


async def _from_values(values: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:  # noqa: ANN401 - a repeated field of any type
    numbers = await to_array(values, np.int64 if dtype.itemsize < 4 else dtype)
    if dtype.itemsize < 4 and not (np.iinfo(dtype).min <= numbers.min() and numbers.max() <= np.iinfo(dtype).max):
        message = f"'{name:.40}' has values from {numbers.min()} to {numbers.max()}, which {dtype.name} cannot hold."
        raise MalformedRequest(message)
    array = np.full(math.prod(shape), numbers[-1], dtype)
    array[: len(numbers)] = numbers
    return array.reshape(shape)


async def to_tensor(values: NDArray[np.float32]) -> messages.TensorProto:
    """Convert an output into a tensor of type DT_FLOAT, in `float_val` as TensorFlow Serving."""
    shape = messages.TensorShapeProto(dim=[messages.TensorShapeProto.Dim(size=size) for size in values.shape])
    tensor = messages.TensorProto(dtype=messages.DT_FLOAT, tensor_shape=shape)
    flat = values.ravel()
    for start in range(0, len(flat), NUMBERS_IN_STEP):
        if start:
            await asyncio.sleep(0)
        tensor.float_val.extend(flat[start : start + NUMBERS_IN_STEP].tolist())
    return tensor


async def from_examples(examples: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a repeated field
    """Convert examples: for each, an array or a picture file for the name of each feature.

    Raises:
        MalformedRequest: if a feature has no value, or several picture files.

    """
    converted = []
    for index, example in enumerate(examples):
        if index and index % _EXAMPLES_IN_STEP == 0:
            await asyncio.sleep(0)
        converted.append(from_example(example, f"examples[{index}]"))
    return converted


def from_example(example: messages.Example, where: str) -> dict[str, Any]:
    """Convert one example; see `from_examples`. `where` names it in messages."""
    return {name: _from_feature(feature, f"{where}.{name:.40}") for name, feature in example.features.feature.items()}


def _from_feature(feature: messages.Feature, where: str) -> NDArray[Any] | bytes:
    match feature.WhichOneof("kind"):
        case "float_list":
            return np.array(feature.float_list.value, np.float32)
        case "int64_list":
            return np.array(feature.int64_list.value, np.int64)
        case "bytes_list" if len(feature.bytes_list.value) == 1:
            return feature.bytes_list.value[0]
        case "bytes_list":
            message = (
                f"The bytes_list of {where} has {len(feature.bytes_list.value):,} values. Expected one picture file."
            )
            raise MalformedRequest(message)
        case _:
            message = (
                f"{where} has no value. Send 784 numbers in float_list or int64_list, or a picture file in bytes_list."
            )
            raise MalformedRequest(message)
