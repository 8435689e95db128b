"""From the numbers and bytes of a tensor to images and picture files. Knows no protocol, and trusts no sender."""

import base64
import binascii
import json
import math
import struct
from collections.abc import Mapping
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.engine import Images
from app.errors import MalformedRequest

Datatype = Literal["UINT8", "FP32"]
"""Of images: ink 0 to 255, or ink 0.0 to 1.0, which is rounded to one of 256 steps."""

IMAGE = (28, 28)
_ITEM_SIZES: Mapping[Datatype, int] = {"UINT8": 1, "FP32": 4}
_LENGTH = struct.Struct("<I")


def require_images_shape(shape: tuple[int, ...]) -> None:
    """See that a shape is (n, 28, 28), n >= 1.

    Raises:
        MalformedRequest: if it is not.

    """
    if len(shape) != 3 or shape[1:] != IMAGE or shape[0] < 1:
        message = f"The shape of 'images' is {list(shape)}. Expected [n, 28, 28] with n of 1 or more."
        raise MalformedRequest(message)


def images_from_buffer(raw: memoryview, datatype: Datatype, shape: tuple[int, ...]) -> Images:
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
    return _from_shares(np.frombuffer(raw, "<f4").reshape(shape))


def images_from_numbers(data: object, datatype: Datatype, shape: tuple[int, ...]) -> Images:
    """Take images out of parsed JSON, nested as the shape says, or flat and row-major.

    Raises:
        MalformedRequest: if the shape is no shape of images, the numbers are more or fewer, or out of range.

    """
    require_images_shape(shape)
    return _to_images(flatten(data, shape), datatype, shape)


def images_from_rows(rows: list[Any], row_shape: tuple[int, ...]) -> Images:
    """Take images out of parsed JSON that says neither type nor shape: one image a row, nested as `row_shape` says.

    Whole numbers are ink 0 to 255. Where one number has a decimal point, all are ink 0.0 to 1.0.

    Raises:
        MalformedRequest: if there is no row, one has another shape, or a value is out of range.

    """
    if not rows:
        message = "There is no image. Send at least one."
        raise MalformedRequest(message)
    if not isinstance(rows[0], list):
        message = f"Each image is a list of shape {list(row_shape)}."
        raise MalformedRequest(message)
    values = flatten(rows, (len(rows), *row_shape))
    datatype: Datatype = "FP32" if float in set(map(type, values)) else "UINT8"
    try:
        return _to_images(values, datatype, (len(rows), *IMAGE))
    except MalformedRequest as error:  # it speaks of a datatype, which nobody has sent
        most = 1 if datatype == "FP32" else 255
        wrong = next(value for value in values if type(value) not in {int, float} or not 0 <= value <= most)
        message = (
            f"A value of the images is {json.dumps(wrong):.40}. Expected ink as whole numbers 0 to 255 or, where "
            "one has a decimal point, all as 0.0 to 1.0."
        )
        raise MalformedRequest(message) from error


def flatten(data: object, shape: tuple[int, ...]) -> list[Any]:
    """Bring the values of a tensor, nested as its shape says or flat already, into one list, row-major.

    Raises:
        MalformedRequest: if the data does not have that shape.

    """
    if not isinstance(data, list):
        message = "The data of a tensor is a list."
        raise MalformedRequest(message)
    if not data or not isinstance(data[0], list):
        if len(data) != math.prod(shape):
            message = f"A tensor of shape {list(shape)} has {math.prod(shape):,} values, not {len(data):,}."
            raise MalformedRequest(message)
        return data
    values = data
    for axis, length in enumerate(shape):
        lengths = {len(data)} if axis == 0 else set(map(len, values)) if set(map(type, values)) == {list} else set()
        if lengths != {length}:
            message = f"The data is not nested as its shape {list(shape)} says: see axis {axis}."
            raise MalformedRequest(message)
        values = list(chain.from_iterable(values)) if axis else data
    return values


def _to_images(values: list[Any], datatype: Datatype, shape: tuple[int, ...]) -> Images:
    if datatype == "UINT8":
        try:
            return np.frombuffer(bytes(values), np.uint8).reshape(shape)
        except (TypeError, ValueError) as error:
            message = "UINT8 images hold whole numbers 0 to 255. Send ink as 0.0 to 1.0 with the datatype FP32."
            raise MalformedRequest(message) from error
    if not set(map(type, values)) <= {int, float}:
        message = "FP32 images hold numbers 0.0 to 1.0."
        raise MalformedRequest(message)
    return _from_shares(np.array(values, np.float64).reshape(shape))


def _from_shares(shares: NDArray[np.float32] | NDArray[np.float64]) -> Images:
    """Round ink 0.0 to 1.0 to the 256 steps that the models know."""
    low, high = shares.min(), shares.max()
    if not (low >= 0 and high <= 1):  # so written that NaN is refused too
        message = f"FP32 images hold ink 0.0 to 1.0, not {low:g} to {high:g}. Send 0 to 255 with the datatype UINT8."
        raise MalformedRequest(message)
    images: Images = np.rint(shares * 255).astype(np.uint8)
    return images


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


def file_from_base64(text: object) -> bytes:
    """Decode one picture file out of JSON.

    Raises:
        MalformedRequest: if it is not base64.

    """
    try:
        return base64.b64decode(text if isinstance(text, str) else b"?", validate=True)
    except (binascii.Error, ValueError) as error:
        message = "A picture within JSON is a string of base64."
        raise MalformedRequest(message) from error


def encode_bytes(elements: list[bytes]) -> bytes:
    """Write the elements of a BYTES tensor, each after its length in 4 bytes, little-endian."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)
