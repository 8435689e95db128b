"""Parses an inference request: a header that contains the tensors or is followed by them. Knows no models."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.errors import MalformedRequest, TooLarge
from app.protocols.json_object import parse_object, short_repr
from app.protocols.number_array import MAX_AXES
from app.protocols.picture_files import check_count, decode_base64, decode_bytes_tensor
from app.protocols.tensor_predictor import Inputs
from app.protocols.tensors import IMAGE_SHAPE, Datatype, images_from_buffer, images_from_numbers
from imaging import PictureError, UnsupportedPicture, decode

OUTPUTS = ("probabilities", "logits")
MAX_ID_LENGTH = 4096
"""In characters. The id is sent back in the response."""

_IMAGE_BYTES = math.prod(IMAGE_SHAPE)
_SIGNATURE_BYTES = 64
"""With so many bytes of a file, `imaging` recognises its format, and has nothing to decode."""
_MAX_SEARCHED_BYTES = 1 << 16
"""How much of a body is searched for the end of its JSON, for an error message. Headers are shorter."""
_ADVICE = "Picture files belong in an input 'image' with the datatype BYTES."
_JSON_STARTS = (b"", b"{", b"[", b'"')
"""The first characters of bodies that are meant to be JSON."""
_RESERVED_PREFIX = "triton_"
_SHARED_MEMORY = "shared_memory_region"
_PARAMETER_TYPES: Mapping[str, tuple[type, ...]] = {
    "sequence_id": (int, str),
    "sequence_start": (bool,),
    "sequence_end": (bool,),
    "priority": (int,),
    "timeout": (int,),
    "binary_data_output": (bool,),
}
"""The JSON types of the parameters of a request that Triton defines."""
_TYPE_NAMES: Mapping[type, str] = {int: "an integer, 0 or more", str: "a string", bool: "true or false"}


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
            bytes of JSON at the start of the body; the tensors follow. With 0 there is no JSON: the whole body is one
            picture file, or the tensor `images` of datatype UINT8.
        max_files: the maximum number of picture files.

    Raises:
        MalformedRequest: if it does not follow the protocol; it names the member.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    length = _parse_header_length(header_length, len(body))
    if length == 0 and header_length is not None:
        return await _parse_raw(body)
    header = await _parse_header(body[:length], has_length=header_length is not None)
    return await parse_message(header, memoryview(body)[length:], max_files=max_files)


async def parse_message(header: Mapping[str, Any], rest: memoryview, *, max_files: int) -> ParsedRequest:
    """Parse the members of a request.

    Args:
        header: the members, as in JSON. Picture files may also be bytes, and numbers arrays.
        rest: the binary data of the input, if it has the parameter `binary_data_size`.
        max_files: the maximum number of picture files.

    Raises:
        MalformedRequest: if they do not follow the protocol; it names the member.
        TooLarge: if there are more picture files.

    """
    parameters = _request_parameters(header)
    id_ = header.get("id")
    if id_ is not None and not (isinstance(id_, str) and len(id_) <= MAX_ID_LENGTH):
        message = f"The member 'id' must be a string of at most {MAX_ID_LENGTH:,} characters."
        raise MalformedRequest(message)
    return ParsedRequest(
        inputs=await _parse_inputs(header.get("inputs"), rest, max_files),
        outputs=_parse_outputs(header.get("outputs"), binary=_flag(parameters, "binary_data_output")),
        id=id_,
    )


async def _parse_raw(body: bytes) -> ParsedRequest:
    """Parse a body without JSON: a picture file, or the bytes of the only tensor, which is answered in binary."""
    try:
        decode(body[:_SIGNATURE_BYTES])
    except UnsupportedPicture as error:
        count, rest = divmod(len(body), _IMAGE_BYTES)
        if rest or not count:
            message = (
                f"With Inference-Header-Content-Length: 0, the body is a picture file or the tensor 'images' (UINT8 "
                f"[n, 28, 28]). It is not a tensor, as {len(body):,} bytes are no multiple of {_IMAGE_BYTES}, and not "
                f"a picture: {error}"
            )
            raise MalformedRequest(message) from error
        images = await images_from_buffer(memoryview(body), "UINT8", (count, *IMAGE_SHAPE))
        return ParsedRequest(images, tuple(ParsedOutput(name, binary=True) for name in OUTPUTS))
    except PictureError:  # the format is known, and the rest of the file is missing
        pass
    return ParsedRequest([body])


async def _parse_header(text: bytes, *, has_length: bool) -> dict[str, Any]:
    try:
        return await parse_object(text)
    except (MalformedRequest, TooLarge) as error:
        if has_length:
            raise
        if text.lstrip()[:1] not in _JSON_STARTS:
            message = (
                f"{error} If the body is a picture file or the bytes of a tensor, send the header "
                "Inference-Header-Content-Length: 0."
            )
            raise MalformedRequest(message) from error
        if (length := _find_end_of_json(text)) is None:
            raise
        message = (
            f"The body has {len(text) - length:,} bytes of binary data after its JSON. Send the header "
            f"Inference-Header-Content-Length: {length}, the number of bytes of the JSON."
        )
        raise MalformedRequest(message) from error


def _find_end_of_json(text: bytes) -> int | None:
    """Return the length of the JSON object at the start of a text; None if it has none, or nothing follows it."""
    characters = text[:_MAX_SEARCHED_BYTES].decode("latin-1")  # one byte each, also of binary data
    try:
        _, end = json.JSONDecoder().raw_decode(characters, len(characters) - len(characters.lstrip()))
    except (json.JSONDecodeError, RecursionError):
        return None
    return end if text[end:].strip() else None


def _request_parameters(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of the request.

    Raises:
        MalformedRequest: if one has a reserved name, or is of another type than Triton's.

    """
    parameters = _parameters(header, "the request")
    for name, value in parameters.items():
        if name.startswith(_RESERVED_PREFIX):
            message = f"The parameter {short_repr(name)} is not allowed: names with '{_RESERVED_PREFIX}' are reserved."
            raise MalformedRequest(message)
        types = _PARAMETER_TYPES.get(name)
        if types and (type(value) not in types or (type(value) is int and value < 0)):
            expected = " or ".join(_TYPE_NAMES[each] for each in types)
            message = f"The parameter '{name}' is {short_repr(value)}. Expected {expected}."
            raise MalformedRequest(message)
    return parameters


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
    elements = _flatten_texts(tensor.get("data"), count)
    return [element if isinstance(element, bytes) else await decode_base64(element) for element in elements]


def _flatten_texts(data: object, count: int) -> list[object]:
    """Flatten the elements of a BYTES tensor, whose lists may be nested, as its shape may have several axes."""
    elements: list[object] = data if isinstance(data, list) else []
    for _ in range(MAX_AXES):
        if not any(isinstance(element, list) for element in elements):
            break
        elements = list(chain.from_iterable(each if isinstance(each, list) else [each] for each in elements))
    if len(elements) != count:
        message = (
            f"The data of 'image' has {len(elements):,} elements, and its shape {count:,}. Expected a list of strings, "
            "each a picture file in base64."
        )
        raise MalformedRequest(message)
    return elements


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
    parameters = _parameters(tensor, "the input")
    _refuse_shared_memory(parameters, "input", tensor.get("name"))
    size = parameters.get("binary_data_size")
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
    _refuse_shared_memory(parameters, "output", name)
    classes = parameters.get("classification")
    if classes is not None and (type(classes) is not int or classes < 0):
        message = "The parameter 'classification' must be the number of classes: an integer, 1 or more."
        raise MalformedRequest(message)
    return ParsedOutput(name, _flag(parameters, "binary_data", default=binary), classes or None)


def _refuse_shared_memory(parameters: Mapping[str, Any], what: str, name: object) -> None:
    if _SHARED_MEMORY in parameters:
        message = (
            f"The {what} {short_repr(name)} has the parameter '{_SHARED_MEMORY}'. This service has no shared memory: "
            "send and receive tensors in the bodies."
        )
        raise MalformedRequest(message)


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
