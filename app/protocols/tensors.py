"""From the numbers and bytes of a tensor to images and picture files. Knows no protocol, and trusts no sender.

What is large is worked on in pieces, between which the event loop runs.
"""

import asyncio
import base64
import binascii
import json
import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest, TooLarge
from app.inference.engines import Images
from app.protocols.number_array import PIECE, Numbers

Datatype = Literal["UINT8", "FP32"]
"""Of images: ink 0 to 255, or ink 0.0 to 1.0, which is rounded to one of 256 steps."""

IMAGE = (28, 28)
_ITEM_SIZES: Mapping[Datatype, int] = {"UINT8": 1, "FP32": 4}
_LENGTH = struct.Struct("<I")
_AT_ONCE = 256
"""Images that are rounded or put together in one step, which takes 1 ms."""
_CHARACTERS_AT_ONCE = 1 << 16
"""Of base64 that are decoded in one step, a multiple of four."""


def require_images_shape(shape: tuple[int, ...]) -> None:
    """See that a shape is (n, 28, 28), n >= 1.

    Raises:
        MalformedRequest: if it is not.

    """
    if len(shape) != 3 or shape[1:] != IMAGE or shape[0] < 1:
        message = f"The shape of 'images' is {list(shape)}. Expected [n, 28, 28] with n of 1 or more."
        raise MalformedRequest(message)


async def images_from_buffer(raw: memoryview, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    """Take images, row-major and little-endian, out of bytes; uint8 is not copied.

    Raises:
        MalformedRequest: if the shape is no shape of images, the bytes are more or fewer, or the values out of range.

    """
    require_images_shape(shape)
    expected = math.prod(shape) * _ITEM_SIZES[datatype]
    if len(raw) != expected:
        message = f"'images' has {len(raw):,} bytes; {datatype} of shape {list(shape)} has {expected:,}."
        raise MalformedRequest(message)
    if datatype == "UINT8":
        return np.frombuffer(raw, np.uint8).reshape(shape)
    return await _from_shares(np.frombuffer(raw, "<f4").reshape(shape))


async def images_from_numbers(data: object, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    """Take images out of parsed JSON, a list or an array, nested as the shape says, or flat and row-major.

    Raises:
        MalformedRequest: if the shape is no shape of images, the numbers are more or fewer, or out of range.

    """
    require_images_shape(shape)
    return await _to_images(flatten(data, shape), datatype, shape)


async def images_from_rows(rows: Sequence[Any] | Numbers, row_shape: tuple[int, ...]) -> Images:
    """Take images out of parsed JSON that says neither type nor shape: one image a row, nested as `row_shape` says.

    Whole numbers are ink 0 to 255. Where one number has a decimal point, all are ink 0.0 to 1.0.

    Raises:
        MalformedRequest: if there is no row, one has another shape, or a value is out of range.

    """
    if not len(rows):
        message = "There is no image. Send at least one."
        raise MalformedRequest(message)
    if not isinstance(rows[0], list | np.ndarray):
        message = f"Each image is a list of shape {list(row_shape)}."
        raise MalformedRequest(message)
    if isinstance(rows[0], np.ndarray) and not isinstance(rows, np.ndarray):
        rows = await _stack(rows, row_shape)
    values = flatten(rows, (len(rows), *row_shape))
    datatype: Datatype = "FP32" if _has_decimals(values) else "UINT8"
    try:
        return await _to_images(values, datatype, (len(rows), *IMAGE))
    except MalformedRequest as error:  # it speaks of a datatype, which nobody has sent
        message = (
            f"A value of the images is {_find_wrong(values, 1 if datatype == 'FP32' else 255)}. Expected ink as whole "
            "numbers 0 to 255 or, where one has a decimal point, all as 0.0 to 1.0."
        )
        raise MalformedRequest(message) from error


async def _stack(rows: Sequence[Any], row_shape: tuple[int, ...]) -> Numbers:
    """Make one array of the arrays of all rows."""
    for row in rows:
        if not isinstance(row, np.ndarray) or row.shape != row_shape:
            message = f"Each image is a list of shape {list(row_shape)}, and all are sent in the same way."
            raise MalformedRequest(message)
    dtype = np.result_type(*{row.dtype for row in rows})
    stacked: Numbers = np.empty((len(rows), *row_shape), dtype)
    for start in range(0, len(rows), _AT_ONCE):
        np.stack(rows[start : start + _AT_ONCE], out=stacked[start : start + _AT_ONCE])
        await asyncio.sleep(0)
    return stacked


def flatten(data: object, shape: tuple[int, ...]) -> list[Any] | Numbers:
    """Bring the values of a tensor, nested as its shape says or flat already, into one list or array, row-major.

    Raises:
        MalformedRequest: if the data does not have that shape.

    """
    if isinstance(data, np.ndarray):
        return _flatten_array(data, shape)
    if not isinstance(data, list):
        message = "The data of a tensor is a list."
        raise MalformedRequest(message)
    if not data or not isinstance(data[0], list):
        if len(data) != math.prod(shape):
            raise _wrong_count(shape, len(data))
        return data
    values = data
    for axis, length in enumerate(shape):
        lengths = {len(data)} if axis == 0 else set(map(len, values)) if set(map(type, values)) == {list} else set()
        if lengths != {length}:
            raise _wrong_axis(shape, axis)
        values = list(chain.from_iterable(values)) if axis else data
    return values


def _flatten_array(data: Numbers, shape: tuple[int, ...]) -> Numbers:
    if data.ndim == 1 and len(data) != math.prod(shape):
        raise _wrong_count(shape, len(data))
    if data.ndim > 1 and data.shape != shape:
        pairs = zip_longest(data.shape, shape)
        raise _wrong_axis(shape, next(axis for axis, (found, expected) in enumerate(pairs) if found != expected))
    return data.ravel()


def _wrong_count(shape: tuple[int, ...], count: int) -> MalformedRequest:
    return MalformedRequest(f"A tensor of shape {list(shape)} has {math.prod(shape):,} values, not {count:,}.")


def _wrong_axis(shape: tuple[int, ...], axis: int) -> MalformedRequest:
    return MalformedRequest(f"The data is not nested as its shape {list(shape)} says: see axis {axis}.")


def _has_decimals(values: list[Any] | Numbers) -> bool:
    if isinstance(values, np.ndarray):
        return bool(values.dtype != np.uint8)
    return float in set(map(type, values))


def _find_wrong(values: list[Any] | Numbers, most: int) -> str:
    """Write the first value that is not a number from 0 to `most`."""
    if isinstance(values, np.ndarray):
        wrong_ones = (_out_of_range(values[start : start + PIECE], most) for start in range(0, len(values), PIECE))
        return next(f"{found[0]:g}" for found in wrong_ones if len(found))
    wrong = next(value for value in values if type(value) not in {int, float} or not 0 <= value <= most)
    return f"{json.dumps(wrong[:40] if isinstance(wrong, str) else wrong):.40}"


def _out_of_range(values: Numbers, most: int) -> Numbers:
    return values[(values < 0) | (values > most)]


async def _to_images(values: list[Any] | Numbers, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    if datatype == "UINT8":
        try:
            return _from_whole_numbers(values).reshape(shape)
        except (TypeError, ValueError) as error:
            message = "UINT8 images hold whole numbers 0 to 255. Send ink as 0.0 to 1.0 with the datatype FP32."
            raise MalformedRequest(message) from error
    if isinstance(values, np.ndarray):
        return await _from_shares(values.reshape(shape))
    if not set(map(type, values)) <= {int, float}:
        message = "FP32 images hold numbers 0.0 to 1.0."
        raise MalformedRequest(message)
    return await _from_shares(np.array(values, np.float64).reshape(shape))


def _from_whole_numbers(values: list[Any] | Numbers) -> Images:
    if not isinstance(values, np.ndarray):
        return np.frombuffer(bytes(values), np.uint8)
    if values.dtype != np.uint8:
        raise ValueError
    return values.astype(np.uint8, copy=False)


async def _from_shares(shares: NDArray[np.float32] | Numbers) -> Images:
    """Round ink 0.0 to 1.0 to the 256 steps that the models know."""
    images: Images = np.empty(shares.shape, np.uint8)
    for start in range(0, len(shares), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        piece = shares[start : start + _AT_ONCE]
        piece = piece.astype(np.float64) if piece.dtype == np.uint8 else piece
        low, high = piece.min(), piece.max()
        if not (low >= 0 and high <= 1):  # so written that NaN is refused too
            message = (
                f"FP32 images hold ink 0.0 to 1.0, not {low:g} to {high:g}. Send 0 to 255 with the datatype UINT8."
            )
            raise MalformedRequest(message)
        images[start : start + _AT_ONCE] = np.rint(piece * 255)
    return images


def check_files(count: int, max_files: int) -> None:
    """See that a request has no more picture files than one may have, before there is an object for each.

    Raises:
        TooLarge: if it has.

    """
    if count > max_files:
        message = f"{count:,} pictures are more than {max_files:,}, the most that one request may have."
        raise TooLarge(message)


def files_from_buffer(raw: memoryview, count: int) -> list[bytes]:
    """Take the elements of a BYTES tensor: each a length in 4 bytes, little-endian, and the bytes.

    Raises:
        MalformedRequest: if they are not `count`, or one reaches past the end.

    """
    files: list[bytes] = []
    start = 0
    while start < len(raw) and len(files) <= count:
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(raw, start)[0] if begin <= len(raw) else begin
        if end > len(raw):
            message = f"Element {len(files)} of the BYTES tensor reaches past the end of its {len(raw):,} bytes."
            raise MalformedRequest(message)
        files.append(bytes(raw[begin:end]))
        start = end
    if len(files) != count:
        message = (
            f"The BYTES tensor has {'more' if len(files) > count else 'fewer'} elements than its shape says: {count}."
        )
        raise MalformedRequest(message)
    return files


async def file_from_base64(text: object) -> bytes:
    """Decode one picture file out of JSON.

    Raises:
        MalformedRequest: if it is not base64.

    """
    try:
        return await _decode_base64(text if isinstance(text, str) else "?")
    except (binascii.Error, ValueError) as error:
        message = "A picture within JSON is a string of base64."
        raise MalformedRequest(message) from error


async def _decode_base64(text: str) -> bytes:
    if len(text) <= _CHARACTERS_AT_ONCE:
        return base64.b64decode(text, validate=True)
    if text.find("=", 0, -2) >= 0:  # which would be the end of a piece, and not of the text
        raise ValueError
    pieces = []
    start = 0
    while len(text) - start > _CHARACTERS_AT_ONCE + 4:  # so that the padding is not a piece of its own
        pieces.append(base64.b64decode(text[start : start + _CHARACTERS_AT_ONCE], validate=True))
        start += _CHARACTERS_AT_ONCE
        await asyncio.sleep(0)
    pieces.append(base64.b64decode(text[start:], validate=True))
    return b"".join(pieces)


def encode_bytes(elements: list[bytes]) -> bytes:
    """Write the elements of a BYTES tensor, each after its length in 4 bytes, little-endian."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)
