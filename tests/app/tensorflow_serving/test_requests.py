import asyncio
import base64
import json

import numpy as np
import pytest

from app.errors import MalformedRequest
from app.tensorflow_serving.requests import SIGNATURES, PredictRequest, read_classify, read_predict

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
ROWS = IMAGES.tolist()
FILE = {"b64": base64.b64encode(b"picture").decode()}


def read(**body: object) -> PredictRequest:
    return asyncio.run(read_predict(json.dumps(body).encode(), max_files=3))


@pytest.mark.parametrize("instances", [ROWS, [{"images": row} for row in ROWS]])
def test_rows(instances: list[object]) -> None:
    request = read(instances=instances)
    assert request.by_rows
    assert request.signature == SIGNATURES["serving_default"]
    assert (np.asarray(request.inputs) == IMAGES).all()


@pytest.mark.parametrize("inputs", [ROWS, {"images": ROWS}])
def test_columns(inputs: object) -> None:
    request = read(inputs=inputs)
    assert not request.by_rows
    assert (np.asarray(request.inputs) == IMAGES).all()


def test_the_signature_of_the_old_examples() -> None:
    request = read(signature_name="predict_images", instances=(IMAGES / 255).reshape(2, 784).tolist())
    assert (np.asarray(request.inputs) == IMAGES).all()
    assert list(request.signature.outputs) == ["scores"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [FILE, FILE]},
        {"instances": [{"image": FILE}, {"image": FILE}]},
        {"inputs": [FILE, FILE]},
        {"inputs": {"image": [FILE, FILE]}},
    ],
)
def test_pictures(body: dict[str, object]) -> None:
    assert read(**body).inputs == [b"picture", b"picture"]


def test_a_single_picture_in_columns() -> None:
    assert read(inputs=FILE).inputs == read(inputs={"image": FILE}).inputs == [b"picture"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": ROWS, "inputs": ROWS},
        {"instances": []},
        {"instances": {}},
        {"instances": [1]},
        {"instances": [{"pixels": ROWS[0]}]},
        {"instances": [{"images": ROWS[0], "image": FILE}]},
        {"instances": [FILE, ROWS[0]]},
        {"instances": [ROWS[0], FILE]},
        {"instances": [{"b64": 7}]},
        {"instances": [{"b64": "?"}]},
        {"inputs": None},
        {"inputs": {}},
        {"inputs": 7},
        {"inputs": {"images": None}},
        {"signature_name": "other", "instances": ROWS},
        {"signature_name": 7, "instances": ROWS},
        {"signature_name": "predict_images", "instances": ROWS},
    ],
)
def test_bad_bodies_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(MalformedRequest):
        read(**body)


def test_examples_are_classified_with_what_they_share() -> None:
    def classify(**body: object) -> object:
        return asyncio.run(read_classify(json.dumps(body).encode(), max_files=3))

    assert (np.asarray(classify(examples=[{"images": row} for row in ROWS])) == IMAGES).all()
    assert classify(examples=[{}, {}], context={"image": FILE}) == [b"picture", b"picture"]
    for body in ({}, {"examples": []}, {"examples": ROWS}, {"examples": [{}], "context": []}, {"examples": [{}]}):
        with pytest.raises(MalformedRequest):
            classify(**body)
