"""Writes the answers to `:predict` and `:classify`, in pieces where there are many images. Knows no HTTP."""

from collections.abc import Iterator, Mapping

import numpy as np
import orjson
from numpy.typing import NDArray

from app.inference.scores import Scores
from app.protocols.json_writer import in_pieces, write_list
from app.protocols.tensorflow_serving.requests import PredictRequest


async def write_predict(request: PredictRequest, scores: Scores) -> bytes:
    """Answer in rows or columns, as it was asked; a single output goes without its name."""
    outputs = {
        name: np.ascontiguousarray(getattr(scores, source)) for name, source in request.signature.outputs.items()
    }
    if request.by_rows and len(outputs) > 1:
        return orjson.dumps({"predictions": await write_list(_named_rows(outputs))})
    columns = {name: await write_list(in_pieces(values)) for name, values in outputs.items()}
    key = "predictions" if request.by_rows else "outputs"
    return orjson.dumps({key: columns if len(columns) > 1 else next(iter(columns.values()))})


async def write_classify(scores: Scores) -> bytes:
    """Answer with every digit and its probability, in the order of the digits."""
    digits = list(map(str, range(10)))
    pieces = (
        [list(zip(digits, row, strict=True)) for row in rows.astype(np.float64).round(6).tolist()]
        for rows in in_pieces(scores.probabilities)
    )
    return orjson.dumps({"result": await write_list(pieces)})


def _named_rows(outputs: Mapping[str, NDArray[np.float32]]) -> Iterator[list[dict[str, NDArray[np.float32]]]]:
    """Give the rows of all outputs, each with their names, in pieces."""
    for pieces in zip(*map(in_pieces, outputs.values()), strict=True):
        yield [dict(zip(outputs, row, strict=True)) for row in zip(*pieces, strict=True)]
