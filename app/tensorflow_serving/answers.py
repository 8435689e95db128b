"""Writes the answers to `:predict` and `:classify`. Knows no HTTP."""

from typing import Any

import numpy as np
import orjson

from app.scores import Scores
from app.tensorflow_serving.requests import PredictRequest


def write_predict(request: PredictRequest, scores: Scores) -> bytes:
    """Answer in rows or columns, as it was asked; a single output goes without its name."""
    outputs = {
        name: np.ascontiguousarray(getattr(scores, source)) for name, source in request.signature.outputs.items()
    }
    if not request.by_rows:
        return _write({"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))})
    if len(outputs) == 1:
        return _write({"predictions": next(iter(outputs.values()))})
    return _write(
        {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}
    )


def write_classify(scores: Scores) -> bytes:
    """Answer with every digit and its probability, in the order of the digits."""
    digits = list(map(str, range(10)))
    rows = scores.probabilities.astype(np.float64).round(6).tolist()
    return _write({"result": [list(zip(digits, row, strict=True)) for row in rows]})


def _write(answer: dict[str, Any]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
