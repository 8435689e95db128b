"""Parses an inference request: a JSON header that contains the tensors or is followed by them. Knows no models."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import MalformedRequest
from app.protocols.json_object import parse_object, short_repr
from app.protocols.number_array import MAX_AXES
from app.protocols.picture_files import check_count, decode_base64, decode_bytes_tensor
from app.protocols.tensor_predictor import Inputs
from app.protocols.tensors import Datatype, images_from_buffer, images_from_numbers

OUTPUTS = ("probabilities", "logits")
MAX_ID_LENGTH = 4096
"""In characters. The id is sent back in the response."""

_ADVICE = "Picture files belong in an input 'image' with the datatype BYTES."


@dataclass(frozen=True)
class ParsedOutput:
    """An output that a request asks for, and its format."""

    name: str
    binary: bool = False
    classes: int | None = None
    """How many of the best classes to return instead of the tensor; None for the tensor."""


@dataclass(frozen=True)
class ParsedRequest:
    """A parsed inference request."""

    inputs: Inputs
    outputs: tuple[ParsedOutput, ...] = tuple(map(ParsedOutput, OUTPUTS))
    id: str | None = None


async def parse_request(body: bytes, header_length: str | None, *, max_files: int) -> ParsedRequest:
    """Parse the body of a request.

    Args:
        body: the whole body.
        header_length: the value of `Inference-Header-Content-Length`, None without that header. It is the number of
            bytes of JSON at the start of the body; the tensors follow. With 0 the whole body is one picture file.
        max_files: the maximum number of picture files.

    Raises:
        MalformedRequest: if it does not follow the protocol; it names the member.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    length = _parse_header_length(header_length, len(body))
    if length == 0 and header_length is not None:
        return ParsedRequest([body])
    header = await parse_object(body[:length])
    parameters = _parameters(header, "the request")
    id_ = header.get("id")
    if id_ is not None and not (isinstance(id_, str) and len(id_) <= MAX_ID_LENGTH):
        message = f"The member 'id' must be a string of at most {MAX_ID_LENGTH:,} characters."
        raise MalformedRequest(message)
    return ParsedRequest(
        inputs=await _parse_inputs(header.get("inputs"), memoryview(body)[length:], max_files),
        outputs=_parse_outputs(header.get("outputs"), binary=_flag(parameters, "binary_data_output")),
        id=id_,
    )


def _parse_header_length(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) > size:
        message = f"Inference-Header-Content-Length is '{text[:40]}'. Expected 0 to {size}, the size of the body."
        raise MalformedRequest(message)
    return int(text)


async def _parse_inputs(tensors: object, rest: memoryview, max_files: int) -> Inputs:
    if not isinstance(tensors, list) or len(tensors) != 1 or not isinstance(tensors[0], dict):
        message = "The member 'inputs' must be a list of one tensor: 'images', or 'image' for picture files."
        raise MalformedRequest(message)
    tensor = tensors[0]
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), _parse_shape(tensor.get("shape"))
    raw = _binary_data(tensor, rest)
    if name == "image":
        return await _parse_files(tensor, datatype, shape, raw, max_files)
    if name != "images":
        message = f"There is no input {short_repr(name)}. The input is 'images', or 'image' for picture files."
        raise MalformedRequest(message)
    images_datatype = _images_datatype(datatype)
    if raw is None:
        return await images_from_numbers(tensor.get("data"), images_datatype, shape, advice=_ADVICE)
    return await images_from_buffer(raw, images_datatype, shape)


def _images_datatype(datatype: object) -> Datatype:
    match datatype:
        case "UINT8" | "FP32":
            return datatype
        case _:
            message = f"The datatype of 'images' is {short_repr(datatype)}. Expected UINT8, or FP32 for ink 0.0 to 1.0."
            raise MalformedRequest(message)


async def _parse_files(
    tensor: Mapping[str, Any], datatype: object, shape: tuple[int, ...], raw: memoryview | None, max_files: int
) -> Inputs:
    if datatype != "BYTES":
        message = (
            f"The datatype of 'image' is {short_repr(datatype)}. Expected BYTES, with one picture file in each element."
        )
        raise MalformedRequest(message)
    count = math.prod(shape)
    check_count(count, max_files)
    if raw is not None:
        return decode_bytes_tensor(raw, count)
    data = tensor.get("data")
    if not isinstance(data, list) or len(data) != count:
        message = f"The data of 'image' must be a list of {count:,} strings, each a picture file in base64."
        raise MalformedRequest(message)
    return [await decode_base64(text) for text in data]


def _parse_shape(shape: object) -> tuple[int, ...]:
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= MAX_AXES
        or any(type(length) is not int or length < 0 for length in shape)
    ):
        message = f"The member 'shape' of an input must be a list of 1 to {MAX_AXES} lengths, none below 0."
        raise MalformedRequest(message)
    if math.prod(shape) >= 2**63:
        message = "The shape of an input has more elements than can be counted in 64 bits."
        raise MalformedRequest(message)
    return tuple(shape)


def _binary_data(tensor: Mapping[str, Any], rest: memoryview) -> memoryview | None:
    """Return the bytes of the tensor, which follow the JSON; None if its data is in the JSON."""
    size = _parameters(tensor, "the input").get("binary_data_size")
    if size is None:
        if len(rest):
            message = f"{len(rest):,} bytes follow the JSON, but no input has the parameter 'binary_data_size'."
            raise MalformedRequest(message)
        return None
    if type(size) is not int or size != len(rest):
        message = f"The parameter 'binary_data_size' is {short_repr(size)}, but {len(rest):,} bytes follow the JSON."
        raise MalformedRequest(message)
    if "data" in tensor:
        message = "An input must have either the member 'data' or the parameter 'binary_data_size', not both."
        raise MalformedRequest(message)
    return rest


def _parse_outputs(outputs: object, *, binary: bool) -> tuple[ParsedOutput, ...]:
    if outputs is None or outputs == []:
        return tuple(ParsedOutput(name, binary) for name in OUTPUTS)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        message = "The member 'outputs' must be a list of objects."
        raise MalformedRequest(message)
    requested = tuple(_parse_output(output, binary=binary) for output in outputs)
    if len({output.name for output in requested}) < len(requested):
        message = "An output is requested twice."
        raise MalformedRequest(message)
    return requested


def _parse_output(output: Mapping[str, Any], *, binary: bool) -> ParsedOutput:
    name = output.get("name")
    if name not in OUTPUTS:
        message = f"There is no output {short_repr(name)}. The outputs are: {', '.join(OUTPUTS)}."
        raise MalformedRequest(message)
    parameters = _parameters(output, "an output")
    classes = parameters.get("classification")
    if classes is not None and (type(classes) is not int or classes < 0):
        message = "The parameter 'classification' must be the number of classes: an integer, 1 or more."
        raise MalformedRequest(message)
    return ParsedOutput(name, _flag(parameters, "binary_data", default=binary), classes or None)


def _parameters(owner: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        message = f"The member 'parameters' of {what} must be an object."
        raise MalformedRequest(message)
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        message = f"The parameter '{name}' must be true or false."
        raise MalformedRequest(message)
    return value
