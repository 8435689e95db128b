import asyncio
import base64
import json

import numpy as np
import pytest

from app.errors import MalformedRequest, TooLarge
from app.protocols.tensorflow_serving.requests import SIGNATURES, PredictRequest, read_classify, read_predict

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


def test_files_and_shared_features_are_counted_and_decoded_once() -> None:
    context = {"image": FILE}
    with pytest.raises(TooLarge, match="4 pictures are more than 3"):
        read(instances=[FILE] * 4)
    for shared in (context, {"images": ROWS[0]}):
        with pytest.raises(TooLarge, match="4 examples share"):
            asyncio.run(read_classify(json.dumps({"examples": [{}] * 4, "context": shared}).encode(), max_files=3))
    body = json.dumps({"examples": [{}] * 3, "context": context}).encode()
    first, *others = asyncio.run(read_classify(body, max_files=3))
    assert all(other is first for other in others)


@pytest.mark.parametrize("scale", [1, 255])
def test_large_json_is_read_as_small_json_is(scale: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    rows = (images if scale == 1 else images / scale).tolist()
    named = [{"images": row} for row in rows]
    for body in ({"instances": rows}, {"instances": named}, {"inputs": rows}, {"inputs": {"images": rows}}):
        assert (np.asarray(read(**body).inputs) == images).all()
    found = asyncio.run(read_classify(json.dumps({"examples": named}).encode(), max_files=3))
    assert (np.asarray(found) == images).all()
