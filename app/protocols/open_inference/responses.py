"""Writes the answer to an inference request, in JSON or with its tensors behind the JSON. Knows no HTTP."""

import asyncio
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.inference.scores import Scores
from app.model_repository.card import Card
from app.protocols.json_writer import ROWS, in_pieces, write_list
from app.protocols.open_inference.requests import InferenceRequest, RequestedOutput
from app.protocols.tensors import encode_bytes


class Answer(NamedTuple):
    """The body, and how many bytes of it are JSON if tensors follow."""

    body: bytes
    header_length: int | None


async def write_answer(card: Card, request: InferenceRequest, scores: Scores) -> Answer:
    """Answer a request with the scores that a version gave, in pieces where there are many."""
    tensors: list[bytes] = []
    header: dict[str, Any] = {"model_name": card.name, "model_version": str(card.version)}
    if request.id is not None:
        header["id"] = request.id
    header["outputs"] = [
        await _write_output(output, getattr(scores, output.name), tensors) for output in request.outputs
    ]
    text = orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tensors:
        return Answer(text, None)
    return Answer(b"".join([text, *tensors]), len(text))


async def _write_output(output: RequestedOutput, values: NDArray[np.float32], tensors: list[bytes]) -> dict[str, Any]:
    """Describe one output; its values go into the description, or onto the end of `tensors` if it is to be binary."""
    if output.classes is not None:
        return await _write_classes(output, values, output.classes, tensors)
    tensor = {"name": output.name, "shape": values.shape, "datatype": "FP32"}
    if not output.binary:
        # For a single image, a Fragment would double the time that the answer takes.
        few = len(values) <= ROWS
        return {**tensor, "data": values.ravel() if few else await write_list(map(np.ravel, in_pieces(values)))}
    raw = values.astype("<f4", copy=False).tobytes()
    tensors.append(raw)
    return {**tensor, "parameters": {"binary_data_size": len(raw)}}


async def _write_classes(
    output: RequestedOutput, values: NDArray[np.float32], classes: int, tensors: list[bytes]
) -> dict[str, Any]:
    shape = [len(values), min(classes, values.shape[1])]
    tensor = {"name": output.name, "shape": shape, "datatype": "BYTES"}
    pieces = ([text for row in classify(rows, classes) for text in row] for rows in in_pieces(values))
    if not output.binary:
        return {**tensor, "data": await write_list(pieces)}
    size = 0
    for texts in pieces:
        tensors.append(encode_bytes([text.encode() for text in texts]))
        size += len(tensors[-1])
        await asyncio.sleep(0)
    return {**tensor, "parameters": {"binary_data_size": size}}


def classify(values: NDArray[np.float32], classes: int) -> list[list[str]]:
    """Name the best classes of each image, as Triton's classification extension has it.

    Args:
        values: float32 (n, 10).
        classes: how many, 1 or more; past ten there are only ten.

    Returns:
        For each image `<value>:<index>:<label>`, the highest value first.

    """
    best = np.argsort(-values, axis=1, kind="stable")[:, :classes]
    ranked = np.take_along_axis(values, best, axis=1)
    return [
        [f"{value:f}:{digit}:{digit}" for value, digit in zip(row, digits, strict=True)]
        for row, digits in zip(ranked.tolist(), best.tolist(), strict=True)
    ]
