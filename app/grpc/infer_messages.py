"""Converts the messages of an inference to the members of a request over REST, and back. Knows no models."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest
from app.grpc.stubs.inference_pb2 import InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse

NUMBERS_IN_STEP = 1 << 16
"""Numbers of a repeated field that are converted in one step."""
_EMPTY_FINAL_RESPONSE = "triton_enable_empty_final_response"
"""Asks a model that answers with several responses for an empty one at the end. Here, each request has one response."""
_CONTENTS: Mapping[str, type[np.generic] | None] = {
    "int_contents": np.int32,
    "int64_contents": np.int64,
    "uint_contents": np.uint32,
    "uint64_contents": np.uint64,
    "fp32_contents": np.float32,
    "fp64_contents": np.float64,
}


async def to_members(request: ModelInferRequest) -> tuple[dict[str, Any], memoryview]:
    """Return the members of a request, whose outputs are binary, and the binary data of its input.

    Raises:
        MalformedRequest: if the data of the inputs is missing or ambiguous.

    """
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        message = (
            f"The request has {len(raw)} raw_input_contents and {len(request.inputs)} inputs. Send one for each input, "
            "in the order of the inputs."
        )
        raise MalformedRequest(message)
    parameters = _to_dict(request.parameters)
    parameters.pop(_EMPTY_FINAL_RESPONSE, None)
    members: dict[str, Any] = {
        "parameters": {**parameters, "binary_data_output": True},
        "inputs": [await _to_input(tensor, raw[index] if raw else None) for index, tensor in enumerate(request.inputs)],
        "outputs": [
            {"name": output.name, "parameters": {**_to_dict(output.parameters), "binary_data": True}}
            for output in request.outputs
        ],
    }
    if request.id:
        members["id"] = request.id
    return members, memoryview(raw[0] if len(raw) == 1 else b"")


async def _to_input(tensor: ModelInferRequest.InferInputTensor, raw: bytes | None) -> dict[str, Any]:
    member: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
    parameters = _to_dict(tensor.parameters)
    # Reading a message that is not there makes one.
    fields = [field.name for field, _ in tensor.contents.ListFields()] if tensor.HasField("contents") else []
    if len(fields) + (raw is not None) > 1:
        found = ", ".join([*fields, *(["raw_input_contents"] if raw is not None else [])])
        message = f"The input '{tensor.name:.40}' has data in {found}. Send it in one of them."
        raise MalformedRequest(message)
    if raw is not None:
        return {**member, "parameters": {**parameters, "binary_data_size": len(raw)}}
    return {**member, "parameters": parameters, "data": await _to_data(tensor.contents, *fields)}


async def _to_data(contents: InferTensorContents, field: str = "") -> NDArray[Any] | list[bytes]:
    """Return the numbers or the picture files of an input, an empty list if it has none."""
    match field:
        case "":
            return []
        case "bytes_contents":
            return list(contents.bytes_contents)
        case "bool_contents":
            message = "The input has bool_contents. Expected numbers or bytes: send 1 and 0 instead of true and false."
            raise MalformedRequest(message)
        case _:
            return await to_array(getattr(contents, field), _CONTENTS[field])


async def to_array(values: Sequence[float], dtype: Any) -> NDArray[Any]:  # noqa: ANN401 - NumPy's
    """Convert a repeated field into an array. The event loop runs after each step of a long one."""
    array = np.empty(len(values), dtype)
    for start in range(0, len(values), NUMBERS_IN_STEP):
        if start:
            await asyncio.sleep(0)
        array[start : start + NUMBERS_IN_STEP] = values[start : start + NUMBERS_IN_STEP]
    return array


def _to_dict(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    if not parameters:  # an empty map is checked faster than iterated
        return {}
    return {
        name: getattr(each, each.WhichOneof("parameter_choice") or "bool_param") for name, each in parameters.items()
    }


def add_outputs(response: ModelInferResponse, outputs: Iterable[Mapping[str, Any]]) -> None:
    """Add outputs, whose data is binary, to a response."""
    for output in outputs:
        tensor = response.outputs.add()  # members are set one by one: as arguments, they take three times as long
        tensor.name = output["name"]
        tensor.datatype = output["datatype"]
        tensor.shape.extend(output["shape"])
