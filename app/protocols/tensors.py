"""Validates the numbers or bytes of a tensor, and converts them into images. Knows no protocol.

Large tensors are converted in pieces, and the event loop runs after each piece.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest
from app.inference.engines import Images
from app.protocols.json_object import short_repr
from app.protocols.number_array import Numbers

Datatype = Literal["UINT8", "FP32"]
"""Of images: ink from 0 to 255, or ink from 0.0 to 1.0, which is rounded to one of 256 steps."""

IMAGE_SHAPE = (28, 28)
_PIXELS = math.prod(IMAGE_SHAPE)
_ROW_SHAPES = (IMAGE_SHAPE, (*IMAGE_SHAPE, 1), (1, *IMAGE_SHAPE), (_PIXELS,), (1, _PIXELS), (_PIXELS, 1))
"""The shapes of an image whose sender declares no shape: with and without an axis of channels, nested and flat."""
_CHANNELS = (3, 4)
_ITEM_SIZES: Mapping[Datatype, int] = {"UINT8": 1, "FP32": 4}
_CHUNK_IMAGES = 256
"""Images that are rounded or stacked in one step, which takes 1 ms."""
_EXPECTED_ROW = "28 rows of 28 numbers, or 784 numbers"
_EXPECTED_INK = "ink from 0.0 to 1.0, or whole numbers from 0 to 255"


def check_images_shape(shape: tuple[int, ...]) -> None:
    """Check that a shape is (n, 28, 28), n >= 1.

    Raises:
        MalformedRequest: if it is not. If it is another shape of images, the message names the shape to send.

    """
    if len(shape) != 3 or shape[1:] != IMAGE_SHAPE or shape[0] < 1:
        message = f"The shape of 'images' is {list(shape)}. Expected [n, 28, 28] with n of 1 or more."
        if shape in _ROW_SHAPES or shape[1:] in _ROW_SHAPES:
            count = math.prod(shape) // _PIXELS
            message += f" Send the same values with the shape [{count}, 28, 28]."
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


async def images_from_numbers(data: object, datatype: Datatype, shape: tuple[int, ...], *, advice: str) -> Images:
    """Convert parsed JSON, a list or an array, into images.

    Args:
        data: the values, row-major, in lists of any regular nesting.
        datatype: of the values. Whole numbers with a decimal point are UINT8 too.
        shape: of the images.
        advice: what to do if a value is a string.

    Raises:
        MalformedRequest: if the shape is not (n, 28, 28), or the number of values or a value does not fit.

    """
    check_images_shape(shape)
    numbers = _to_numbers(data, advice)
    if numbers.size != math.prod(shape):
        message = (
            f"The data of 'images' has the shape {list(numbers.shape)} and {numbers.size:,} values. A tensor of shape "
            f"{list(shape)} has {math.prod(shape):,}."
        )
        raise MalformedRequest(message)
    numbers = numbers.reshape(shape)
    return await (_from_whole_numbers(numbers) if datatype == "UINT8" else _from_unit_interval(numbers))


async def images_from_rows(rows: Sequence[Any] | Numbers, member: str, *, advice: str, exact: bool = False) -> Images:
    """Convert parsed JSON without a datatype and a shape into images.

    Each image is decided for itself, as JSON does not tell 1 from 1.0: if no value is above 1, the values are ink from
    0.0 to 1.0, otherwise whole numbers from 0 to 255.

    Args:
        rows: one image for each element: 28 rows of 28 numbers, also with an axis of one channel, or 784 numbers.
        member: the name of the rows in the request, for messages.
        advice: what to do if an image is a string.
        exact: whether all values are known to be ink from 0 to 255: the rows are an array of uint8.

    Raises:
        MalformedRequest: if there is no row, a row has another shape, or a value is out of range.

    """
    if not len(rows):
        message = "There is no image. Send at least one."
        raise MalformedRequest(message)
    if not isinstance(rows, np.ndarray) and any(isinstance(row, np.ndarray) for row in rows):
        rows = await _stack(rows)
    numbers = _to_numbers(rows, advice)
    if numbers.shape[1:] not in _ROW_SHAPES:
        raise _row_shape_error(numbers.shape, member, advice)
    images = (
        numbers.astype(np.uint8, copy=False)
        if exact
        else await _from_untyped(numbers.reshape(len(rows), _PIXELS), member)
    )
    return images.reshape(len(rows), *IMAGE_SHAPE)


def _row_shape_error(shape: tuple[int, ...], member: str, advice: str) -> MalformedRequest:
    row = shape[1:]
    if shape in _ROW_SHAPES:
        message = (
            f"'{member}' has the shape {list(shape)}, that of a single image. It must be a list of images: put the "
            "image into a list."
        )
    elif not row:
        message = f"'{member}' is a list of {shape[0]:,} numbers. It must be a list of images: {_EXPECTED_ROW} each."
    else:
        message = f"Each image has the shape {list(row)}. Expected {_EXPECTED_ROW}."
        if row[0] in _CHANNELS or row[-1] in _CHANNELS:
            message += f" Convert colour images to grey, with white ink on black. {advice}"
    return MalformedRequest(message)


async def _stack(rows: Sequence[Any]) -> Numbers:
    """Stack the arrays of all rows into one."""
    shapes = {row.shape if isinstance(row, np.ndarray) else () for row in rows}
    if len(shapes) > 1:
        raise _irregular()
    dtype = np.result_type(*{row.dtype for row in rows})
    stacked: Numbers = np.empty((len(rows), *shapes.pop()), dtype)
    for start in range(0, len(rows), _CHUNK_IMAGES):
        np.stack(rows[start : start + _CHUNK_IMAGES], out=stacked[start : start + _CHUNK_IMAGES])
        await asyncio.sleep(0)
    return stacked


def _to_numbers(data: object, advice: str) -> Numbers:
    """Convert parsed JSON, a list or an array, into an array that has an axis for each level of nesting.

    Raises:
        MalformedRequest: if it is not nested regularly, or an element is not a number.

    """
    if isinstance(data, np.ndarray):
        return data
    values: list[Any] = [data]
    types = {type(data)}
    shape: list[int] = []
    while list in types:
        if types != {list} or len(lengths := set(map(len, values))) != 1:
            raise _irregular()
        shape += lengths
        values = list(chain.from_iterable(values))
        types = set(map(type, values))
    if not shape:
        message = f"The values of a tensor must be in a list, not {short_repr(data)}."
        raise MalformedRequest(f"{message} {advice}" if isinstance(data, str) else message)
    if not types <= {int, float}:
        raise _not_a_number(next(value for value in values if type(value) not in {int, float}), advice)
    return _convert(values).reshape(shape)


def _convert(values: list[Any]) -> Numbers:
    try:
        return np.frombuffer(bytes(values), np.uint8)
    except (TypeError, ValueError):  # a number with a decimal point, or out of range
        pass
    try:
        return np.array(values, np.float64)
    except OverflowError as error:
        message = f"A number of the images is too large. Expected {_EXPECTED_INK}."
        raise MalformedRequest(message) from error


def _not_a_number(value: object, advice: str) -> MalformedRequest:
    match value:
        case bool():
            return MalformedRequest(f"{json.dumps(value)} is not a number. Send 1 and 0 instead of true and false.")
        case str():
            return MalformedRequest(f"{json.dumps(value[:40]):.40} is not a number. {advice}")
        case _:
            return MalformedRequest(f"{'null' if value is None else 'An object'} is not a number. Expected numbers.")


def _irregular() -> MalformedRequest:
    return MalformedRequest(f"The lists of numbers are not nested regularly. Expected {_EXPECTED_ROW} for each image.")


async def _from_whole_numbers(values: Numbers) -> Images:
    """Convert numbers from 0 to 255 without a fraction."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    images: Images = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _CHUNK_IMAGES):
        if start:
            await asyncio.sleep(0)
        piece = values[start : start + _CHUNK_IMAGES]
        wrong = piece[~_is_whole_ink(piece)]
        if wrong.size:
            message = (
                f"UINT8 images must have whole numbers from 0 to 255, not {wrong[0]:g}. Send ink as 0.0 to 1.0 with "
                "the datatype FP32."
            )
            raise MalformedRequest(message)
        images[start : start + _CHUNK_IMAGES] = piece
    return images


def _is_whole_ink(values: Numbers) -> NDArray[np.bool_]:
    return np.asarray((values >= 0) & (values <= 255) & (values == np.floor(values)))


async def _from_untyped(values: Numbers, member: str) -> Images:
    """Convert images of numbers of shape (n, 784), each by its own values: see `images_from_rows`."""
    images: Images = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _CHUNK_IMAGES):
        if start:
            await asyncio.sleep(0)
        piece = values[start : start + _CHUNK_IMAGES]
        is_unit = piece.max(axis=1) <= 1
        scale = np.where(is_unit, 255, 1).astype(np.uint8)[:, np.newaxis]
        if piece.dtype == np.uint8:
            images[start : start + _CHUNK_IMAGES] = piece * scale
            continue
        is_valid = np.where(is_unit[:, np.newaxis], piece >= 0, _is_whole_ink(piece))
        if not is_valid.all():
            index = int(np.argmin(is_valid.all(axis=1)))
            raise _ink_error(piece[index], is_valid[index], f"{member}[{start + index}]")
        images[start : start + _CHUNK_IMAGES] = np.rint(piece * scale)
    return images


def _ink_error(values: Numbers, is_valid: NDArray[np.bool_], image: str) -> MalformedRequest:
    wrong = values[~is_valid][0]
    if 0 <= wrong <= 255:
        return MalformedRequest(
            f"{image} has both the values {wrong:g} and {values.max():g}. Expected {_EXPECTED_INK}."
        )
    return MalformedRequest(f"A value of {image} is {wrong:g}. Expected {_EXPECTED_INK}.")


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
