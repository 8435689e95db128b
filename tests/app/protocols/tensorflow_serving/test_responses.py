import asyncio
import json
from functools import partial
from typing import Any

import numpy as np

from app.inference.scores import Scores
from app.protocols.tensorflow_serving.requests import SIGNATURES, ParsedPredict
from app.protocols.tensorflow_serving.responses import write_classify, write_predict

RNG = np.random.default_rng(0)
SCORES = Scores(RNG.random((3, 10), np.float32), RNG.random((3, 10), np.float32))


def predict(signature: str, *, by_rows: bool) -> dict[str, Any]:
    request = ParsedPredict([], SIGNATURES[signature], by_rows)
    response: dict[str, Any] = json.loads(asyncio.run(write_predict(request, SCORES)))
    return response


def test_several_outputs_have_names() -> None:
    [first, *rest] = predict("serving_default", by_rows=True)["predictions"]
    assert len(rest) == 2
    assert (np.array(first["logits"], np.float32) == SCORES.logits[0]).all()
    columns = predict("serving_default", by_rows=False)["outputs"]
    assert (np.array(columns["probabilities"], np.float32) == SCORES.probabilities).all()


def test_a_single_output_has_no_name() -> None:
    for by_rows, key in ((True, "predictions"), (False, "outputs")):
        response = predict("predict_images", by_rows=by_rows)
        assert (np.array(response[key], np.float32) == SCORES.probabilities).all()
        assert list(response) == [key]


def test_classes_are_the_digits_with_their_probabilities() -> None:
    response = json.loads(asyncio.run(write_classify(SCORES)))
    assert list(response) == ["results", "result"]
    assert response["result"] == response["results"]
    rows = response["results"]
    assert [label for label, _ in rows[0]] == list("0123456789")
    assert (np.array([[score for _, score in row] for row in rows], np.float32) == SCORES.probabilities).all()


def test_the_scores_of_thousands_of_images_are_written_as_those_of_a_few() -> None:
    many = Scores(np.tile(SCORES.probabilities, (700, 1)), np.tile(SCORES.logits, (700, 1)))
    by_rows = ParsedPredict([], SIGNATURES["serving_default"], by_rows=True)
    one = ParsedPredict([], SIGNATURES["predict_images"], by_rows=True)
    for write in (write_classify, partial(write_predict, by_rows), partial(write_predict, one)):
        few = json.loads(asyncio.run(write(SCORES)))
        for key, found in json.loads(asyncio.run(write(many))).items():
            assert found == few[key] * 700
