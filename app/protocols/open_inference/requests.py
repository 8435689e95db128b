"""Reads an inference request: a JSON header, and tensors in it or behind it. Knows no models and runs nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import MalformedRequest
from app.protocols.json_object import brief, read_object
from app.protocols.number_array import MOST_AXES
from app.protocols.tensor_predictor import Inputs
from app.protocols.tensors import (
    Datatype,
    check_files,
    file_from_base64,
    files_from_buffer,
    images_from_buffer,
    images_from_numbers,
)

OUTPUTS = ("probabilities", "logits")
LONGEST_ID = 4096
"""In characters: it is sent back."""


@dataclass(frozen=True)
class RequestedOutput:
    """One output that is asked for, and how."""

    name: str
    binary: bool = False
    classes: int | None = None
    """How many of the best classes are asked for in the place of the tensor."""


@dataclass(frozen=True)
class InferenceRequest:
    """What a client asks for."""

    inputs: Inputs
    outputs: tuple[RequestedOutput, ...] = tuple(map(RequestedOutput, OUTPUTS))
    id: str | None = None


async def read_request(body: bytes, header_length: str | None, *, max_files: int) -> InferenceRequest:
    """Read a request's body.

    Args:
        body: all of it.
        header_length: the value of `Inference-Header-Content-Length`, None without that header. It says how many
            bytes of the body are JSON; the tensors follow. With 0 the whole body is one picture file.
        max_files: the most picture files that it may have.

    Raises:
        MalformedRequest: naming the member that is not as it should be.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    length = _read_header_length(header_length, len(body))
    if length == 0 and header_length is not None:
        return InferenceRequest([body])
    header = await read_object(body[:length])
    parameters = _parameters(header, "the request")
    identity = header.get("id")
    if identity is not None and not (isinstance(identity, str) and len(identity) <= LONGEST_ID):
        message = f"The member 'id' is a string of at most {LONGEST_ID:,} characters."
        raise MalformedRequest(message)
    return InferenceRequest(
        inputs=await _read_inputs(header.get("inputs"), memoryview(body)[length:], max_files),
        outputs=_read_outputs(header.get("outputs"), binary=_flag(parameters, "binary_data_output")),
        id=identity,
    )


def _read_header_length(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) > size:
        message = f"Inference-Header-Content-Length is '{text[:40]}'. Expected 0 to {size}, the size of the body."
        raise MalformedRequest(message)
    return int(text)


async def _read_inputs(tensors: object, rest: memoryview, max_files: int) -> Inputs:
    if not isinstance(tensors, list) or len(tensors) != 1 or not isinstance(tensors[0], dict):
        message = "The member 'inputs' is a list of one tensor: 'images', or 'image' for picture files."
        raise MalformedRequest(message)
    tensor = tensors[0]
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), _read_shape(tensor.get("shape"))
    raw = _binary_data(tensor, rest)
    if name == "image":
        return await _read_files(tensor, datatype, shape, raw, max_files)
    if name != "images":
        message = (
            f"There is no input {brief(name)}. The inputs are 'images', and in its place 'image' for picture files."
        )
        raise MalformedRequest(message)
    kind = _images_datatype(datatype)
    if raw is None:
        return await images_from_numbers(tensor.get("data"), kind, shape)
    return await images_from_buffer(raw, kind, shape)


def _images_datatype(datatype: object) -> Datatype:
    match datatype:
        case "UINT8" | "FP32":
            return datatype
        case _:
            message = f"The datatype of 'images' is {brief(datatype)}. Expected UINT8, or FP32 for ink 0.0 to 1.0."
            raise MalformedRequest(message)


async def _read_files(
    tensor: Mapping[str, Any], datatype: object, shape: tuple[int, ...], raw: memoryview | None, max_files: int
) -> Inputs:
    if datatype != "BYTES":
        message = f"The datatype of 'image' is {brief(datatype)}. Expected BYTES: each element one picture file."
        raise MalformedRequest(message)
    count = math.prod(shape)
    check_files(count, max_files)
    if raw is not None:
        return files_from_buffer(raw, count)
    data = tensor.get("data")
    if not isinstance(data, list) or len(data) != count:
        message = f"The data of 'image' is a list of {count:,} strings, each a picture file in base64."
        raise MalformedRequest(message)
    return [await file_from_base64(text) for text in data]


def _read_shape(shape: object) -> tuple[int, ...]:
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= MOST_AXES
        or any(type(length) is not int or length < 0 for length in shape)
    ):
        message = f"The member 'shape' of an input is a list of 1 to {MOST_AXES} lengths, none below 0."
        raise MalformedRequest(message)
    if math.prod(shape) >= 2**63:
        message = "The shape of an input has more elements than can be counted in 64 bits."
        raise MalformedRequest(message)
    return tuple(shape)


def _binary_data(tensor: Mapping[str, Any], rest: memoryview) -> memoryview | None:
    """Give the bytes of the one tensor, all that follows the JSON; None if its data is in the JSON."""
    size = _parameters(tensor, "the input").get("binary_data_size")
    if size is None:
        if len(rest):
            message = f"{len(rest):,} bytes follow the JSON, but no input has the parameter 'binary_data_size'."
            raise MalformedRequest(message)
        return None
    if type(size) is not int or size != len(rest):
        message = f"The parameter 'binary_data_size' is {brief(size)}, but {len(rest):,} bytes follow the JSON."
        raise MalformedRequest(message)
    if "data" in tensor:
        message = "An input has either the member 'data' or the parameter 'binary_data_size'."
        raise MalformedRequest(message)
    return rest


def _read_outputs(outputs: object, *, binary: bool) -> tuple[RequestedOutput, ...]:
    if outputs is None or outputs == []:
        return tuple(RequestedOutput(name, binary) for name in OUTPUTS)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        message = "The member 'outputs' is a list of objects."
        raise MalformedRequest(message)
    requested = tuple(_read_output(output, binary=binary) for output in outputs)
    if len({output.name for output in requested}) < len(requested):
        message = "An output is asked for twice."
        raise MalformedRequest(message)
    return requested


def _read_output(output: Mapping[str, Any], *, binary: bool) -> RequestedOutput:
    name = output.get("name")
    if name not in OUTPUTS:
        message = f"There is no output {brief(name)}. The outputs are: {', '.join(OUTPUTS)}."
        raise MalformedRequest(message)
    parameters = _parameters(output, "an output")
    classes = parameters.get("classification")
    if classes is not None and (type(classes) is not int or classes < 0):
        message = "The parameter 'classification' is how many classes are asked for: a whole number, 1 or more."
        raise MalformedRequest(message)
    return RequestedOutput(name, _flag(parameters, "binary_data", default=binary), classes or None)


def _parameters(owner: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        message = f"The member 'parameters' of {what} is an object."
        raise MalformedRequest(message)
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        message = f"The parameter '{name}' is true or false."
        raise MalformedRequest(message)
    return value
