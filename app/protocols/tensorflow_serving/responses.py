"""Writes the responses to `:predict` and `:classify`, in pieces if they are long. Knows no HTTP."""

from collections.abc import Iterator, Mapping

import numpy as np
import orjson
from numpy.typing import NDArray

from app.inference.scores import Scores
from app.protocols.json_writer import split_rows, write_list
from app.protocols.tensorflow_serving.requests import ParsedPredict


async def write_predict(request: ParsedPredict, scores: Scores) -> bytes:
    """Write rows or columns, as in the request. A single output has no name."""
    outputs = select_outputs(request, scores)
    if request.by_rows and len(outputs) > 1:
        return orjson.dumps({"predictions": await write_list(_named_rows(outputs))})
    columns = {name: await write_list(split_rows(values)) for name, values in outputs.items()}
    key = "predictions" if request.by_rows else "outputs"
    return orjson.dumps({key: columns if len(columns) > 1 else next(iter(columns.values()))})


def select_outputs(request: ParsedPredict, scores: Scores) -> dict[str, NDArray[np.float32]]:
    """Return the outputs of the request's signature by their names, float32 (n, 10)."""
    return {name: np.ascontiguousarray(getattr(scores, source)) for name, source in request.signature.outputs.items()}


async def write_classify(scores: Scores) -> bytes:
    """Write the probability of every digit, in the order of the digits."""
    digits = list(map(str, range(10)))
    pieces = ([list(zip(digits, row, strict=True)) for row in rows] for rows in split_rows(scores.probabilities))
    results = await write_list(pieces)
    # `result` is the name in the grammar of TensorFlow Serving's documentation. To be removed after version 0.2.
    return orjson.dumps({"results": results, "result": results})


def _named_rows(outputs: Mapping[str, NDArray[np.float32]]) -> Iterator[list[dict[str, NDArray[np.float32]]]]:
    """Yield the rows of all outputs in pieces, each row an object with the names of the outputs."""
    for pieces in zip(*map(split_rows, outputs.values()), strict=True):
        yield [dict(zip(outputs, row, strict=True)) for row in zip(*pieces, strict=True)]
