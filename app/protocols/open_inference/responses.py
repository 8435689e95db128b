"""Writes the response to an inference request: JSON that contains the tensors or is followed by them. Knows no HTTP."""

import asyncio
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.inference.scores import Scores
from app.model_repository.card import Card
from app.protocols.json_writer import ROWS, split_rows, write_list
from app.protocols.open_inference.requests import ParsedOutput, ParsedRequest
from app.protocols.picture_files import encode_bytes_tensor


class EncodedResponse(NamedTuple):
    """The body, and the length of its JSON if tensors follow it."""

    body: bytes
    header_length: int | None


async def write_response(card: Card, request: ParsedRequest, scores: Scores) -> EncodedResponse:
    """Write the response with the scores of a version. Long responses are written in pieces."""
    header: dict[str, Any] = {"model_name": card.name, "model_version": str(card.version)}
    if request.id is not None:
        header["id"] = request.id
    header["outputs"], tensors = await write_outputs(request, scores)
    text = orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tensors:
        return EncodedResponse(text, None)
    return EncodedResponse(b"".join([text, *tensors]), len(text))


async def write_outputs(request: ParsedRequest, scores: Scores) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the members of each output, and the tensors of the binary outputs in their order."""
    tensors: list[bytes] = []
    outputs = [await _write_output(output, getattr(scores, output.name), tensors) for output in request.outputs]
    return outputs, tensors


async def _write_output(output: ParsedOutput, values: NDArray[np.float32], tensors: list[bytes]) -> dict[str, Any]:
    """Return the JSON of an output. Its values are in it, or, for a binary output, appended to `tensors`."""
    if output.classes is not None:
        return await _write_classes(output, values, output.classes, tensors)
    tensor = {"name": output.name, "shape": values.shape, "datatype": "FP32"}
    if not output.binary:
        # For a single image, a Fragment would double the time that the response takes.
        is_short = len(values) <= ROWS
        return {**tensor, "data": values.ravel() if is_short else await write_list(map(np.ravel, split_rows(values)))}
    raw = values.astype("<f4", copy=False).tobytes()
    tensors.append(raw)
    return {**tensor, "parameters": {"binary_data_size": len(raw)}}


async def _write_classes(
    output: ParsedOutput, values: NDArray[np.float32], classes: int, tensors: list[bytes]
) -> dict[str, Any]:
    shape = [len(values), min(classes, values.shape[1])]
    tensor = {"name": output.name, "shape": shape, "datatype": "BYTES"}
    pieces = ([text for row in classify(rows, classes) for text in row] for rows in split_rows(values))
    if not output.binary:
        return {**tensor, "data": await write_list(pieces)}
    encoded = []
    for texts in pieces:
        encoded.append(encode_bytes_tensor([text.encode() for text in texts]))
        await asyncio.sleep(0)
    tensors.append(b"".join(encoded))
    return {**tensor, "parameters": {"binary_data_size": len(tensors[-1])}}


def classify(values: NDArray[np.float32], classes: int) -> list[list[str]]:
    """Return the best classes of each image, in the format of Triton's classification extension.

    Args:
        values: float32 (n, 10).
        classes: how many, 1 or more; at most ten are returned.

    Returns:
        For each image `<value>:<index>:<label>`, the highest value first.

    """
    best = np.argsort(-values, axis=1, kind="stable")[:, :classes]
    ranked = np.take_along_axis(values, best, axis=1)
    return [
        [f"{value:f}:{digit}:{digit}" for value, digit in zip(row, digits, strict=True)]
        for row, digits in zip(ranked.tolist(), best.tolist(), strict=True)
    ]
