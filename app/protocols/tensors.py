"""Validates the numbers or bytes of a tensor, and converts them into images. Knows no protocol.

Large tensors are converted in pieces, and the event loop runs after each piece.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest
from app.inference.engines import Images
from app.protocols.number_array import CHUNK_VALUES, Numbers

Datatype = Literal["UINT8", "FP32"]
"""Of images: ink from 0 to 255, or ink from 0.0 to 1.0, which is rounded to one of 256 steps."""

IMAGE_SHAPE = (28, 28)
_ITEM_SIZES: Mapping[Datatype, int] = {"UINT8": 1, "FP32": 4}
_CHUNK_IMAGES = 256
"""Images that are rounded or stacked in one step, which takes 1 ms."""


def check_images_shape(shape: tuple[int, ...]) -> None:
    """Check that a shape is (n, 28, 28), n >= 1.

    Raises:
        MalformedRequest: if it is not.

    """
    if len(shape) != 3 or shape[1:] != IMAGE_SHAPE or shape[0] < 1:
        message = f"The shape of 'images' is {list(shape)}. Expected [n, 28, 28] with n of 1 or more."
        raise MalformedRequest(message)


async def images_from_buffer(raw: memoryview, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    """Convert bytes, row-major and little-endian, into images. UINT8 is not copied.

    Raises:
        MalformedRequest: if the shape is not (n, 28, 28), or the number of bytes or a value does not fit.

    """
    check_images_shape(shape)
    expected = math.prod(shape) * _ITEM_SIZES[datatype]
    if len(raw) != expected:
        message = f"'images' has {len(raw):,} bytes; {datatype} of shape {list(shape)} has {expected:,}."
        raise MalformedRequest(message)
    if datatype == "UINT8":
        return np.frombuffer(raw, np.uint8).reshape(shape)
    return await _from_unit_interval(np.frombuffer(raw, "<f4").reshape(shape))


async def images_from_numbers(data: object, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    """Convert parsed JSON, a list or an array, into images. It is nested like the shape, or flat and row-major.

    Raises:
        MalformedRequest: if the shape is not (n, 28, 28), or the number of values or a value does not fit.

    """
    check_images_shape(shape)
    return await _to_images(flatten(data, shape), datatype, shape)


async def images_from_rows(rows: Sequence[Any] | Numbers, row_shape: tuple[int, ...]) -> Images:
    """Convert parsed JSON without a datatype into images: each row is one image of the shape `row_shape`.

    Integers are ink from 0 to 255. If any number has a decimal point, all are ink from 0.0 to 1.0.

    Raises:
        MalformedRequest: if there is no row, a row has another shape, or a value is out of range.

    """
    if not len(rows):
        message = "There is no image. Send at least one."
        raise MalformedRequest(message)
    if not isinstance(rows[0], list | np.ndarray):
        message = f"Each image must be a list of shape {list(row_shape)}."
        raise MalformedRequest(message)
    if isinstance(rows[0], np.ndarray) and not isinstance(rows, np.ndarray):
        rows = await _stack(rows, row_shape)
    values = flatten(rows, (len(rows), *row_shape))
    datatype: Datatype = "FP32" if _has_decimals(values) else "UINT8"
    try:
        return await _to_images(values, datatype, (len(rows), *IMAGE_SHAPE))
    except MalformedRequest as error:  # its message names a datatype, which the request does not have
        value = _first_out_of_range(values, 1 if datatype == "FP32" else 255)
        message = (
            f"A value of the images is {value}. Expected integers from 0 to 255. If one number has a decimal point, "
            "all must be from 0.0 to 1.0."
        )
        raise MalformedRequest(message) from error


async def _stack(rows: Sequence[Any], row_shape: tuple[int, ...]) -> Numbers:
    """Stack the arrays of all rows into one."""
    for row in rows:
        if not isinstance(row, np.ndarray) or row.shape != row_shape:
            message = f"All images must be lists of shape {list(row_shape)}."
            raise MalformedRequest(message)
    dtype = np.result_type(*{row.dtype for row in rows})
    stacked: Numbers = np.empty((len(rows), *row_shape), dtype)
    for start in range(0, len(rows), _CHUNK_IMAGES):
        np.stack(rows[start : start + _CHUNK_IMAGES], out=stacked[start : start + _CHUNK_IMAGES])
        await asyncio.sleep(0)
    return stacked


def flatten(data: object, shape: tuple[int, ...]) -> list[Any] | Numbers:
    """Flatten the values of a tensor, which are nested like its shape or flat, into one list or array, row-major.

    Raises:
        MalformedRequest: if the values do not have that shape.

    """
    if isinstance(data, np.ndarray):
        return _flatten_array(data, shape)
    if not isinstance(data, list):
        message = "The data of a tensor must be a list."
        raise MalformedRequest(message)
    if not data or not isinstance(data[0], list):
        if len(data) != math.prod(shape):
            raise _count_error(shape, len(data))
        return data
    values = data
    for axis, length in enumerate(shape):
        lengths = {len(data)} if axis == 0 else set(map(len, values)) if set(map(type, values)) == {list} else set()
        if lengths != {length}:
            raise _axis_error(shape, axis)
        values = list(chain.from_iterable(values)) if axis else data
    return values


def _flatten_array(data: Numbers, shape: tuple[int, ...]) -> Numbers:
    if data.ndim == 1 and len(data) != math.prod(shape):
        raise _count_error(shape, len(data))
    if data.ndim > 1 and data.shape != shape:
        pairs = zip_longest(data.shape, shape)
        raise _axis_error(shape, next(axis for axis, (found, expected) in enumerate(pairs) if found != expected))
    return data.ravel()


def _count_error(shape: tuple[int, ...], count: int) -> MalformedRequest:
    return MalformedRequest(f"A tensor of shape {list(shape)} has {math.prod(shape):,} values, not {count:,}.")


def _axis_error(shape: tuple[int, ...], axis: int) -> MalformedRequest:
    return MalformedRequest(f"The data does not have the shape {list(shape)}: its length differs on axis {axis}.")


def _has_decimals(values: list[Any] | Numbers) -> bool:
    if isinstance(values, np.ndarray):
        return bool(values.dtype != np.uint8)
    return float in set(map(type, values))


def _first_out_of_range(values: list[Any] | Numbers, maximum: int) -> str:
    """Format the first value that is not a number from 0 to `maximum`."""
    if isinstance(values, np.ndarray):
        pieces = (values[start : start + CHUNK_VALUES] for start in range(0, len(values), CHUNK_VALUES))
        out_of_range = (piece[(piece < 0) | (piece > maximum)] for piece in pieces)
        return next(f"{found[0]:g}" for found in out_of_range if len(found))
    wrong = next(value for value in values if type(value) not in {int, float} or not 0 <= value <= maximum)
    return f"{json.dumps(wrong[:40] if isinstance(wrong, str) else wrong):.40}"


async def _to_images(values: list[Any] | Numbers, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    if datatype == "UINT8":
        try:
            return _from_integers(values).reshape(shape)
        except (TypeError, ValueError) as error:
            message = "UINT8 images must have integers from 0 to 255. Send ink as 0.0 to 1.0 with the datatype FP32."
            raise MalformedRequest(message) from error
    if isinstance(values, np.ndarray):
        return await _from_unit_interval(values.reshape(shape))
    if not set(map(type, values)) <= {int, float}:
        message = "FP32 images must have numbers from 0.0 to 1.0."
        raise MalformedRequest(message)
    return await _from_unit_interval(np.array(values, np.float64).reshape(shape))


def _from_integers(values: list[Any] | Numbers) -> Images:
    if not isinstance(values, np.ndarray):
        return np.frombuffer(bytes(values), np.uint8)
    if values.dtype != np.uint8:
        raise ValueError
    return values.astype(np.uint8, copy=False)


async def _from_unit_interval(values: NDArray[np.float32] | Numbers) -> Images:
    """Round ink from 0.0 to 1.0 to the 256 steps of uint8."""
    images: Images = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _CHUNK_IMAGES):
        if start:
            await asyncio.sleep(0)
        piece = values[start : start + _CHUNK_IMAGES]
        piece = piece.astype(np.float64) if piece.dtype == np.uint8 else piece
        low, high = piece.min(), piece.max()
        if not (low >= 0 and high <= 1):  # written so that NaN is refused too
            message = (
                f"FP32 images must have ink 0.0 to 1.0, not {low:g} to {high:g}. Send 0 to 255 with the datatype UINT8."
            )
            raise MalformedRequest(message)
        images[start : start + _CHUNK_IMAGES] = np.rint(piece * 255)
    return images
