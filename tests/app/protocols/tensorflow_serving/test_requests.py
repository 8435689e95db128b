import asyncio
import base64
import json

import numpy as np
import pytest

from app.errors import MalformedRequest, TooLarge
from app.protocols.tensorflow_serving.requests import SIGNATURES, ParsedPredict, parse_classify, parse_predict

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
ROWS = IMAGES.tolist()
FILE = {"b64": base64.b64encode(b"picture").decode()}


def parse(**body: object) -> ParsedPredict:
    return asyncio.run(parse_predict(json.dumps(body).encode(), max_files=3))


@pytest.mark.parametrize("instances", [ROWS, [{"images": row} for row in ROWS]])
def test_instances_are_rows(instances: list[object]) -> None:
    request = parse(instances=instances)
    assert request.by_rows
    assert request.signature == SIGNATURES["serving_default"]
    assert (np.asarray(request.inputs) == IMAGES).all()


@pytest.mark.parametrize("inputs", [ROWS, {"images": ROWS}])
def test_inputs_are_columns(inputs: object) -> None:
    request = parse(inputs=inputs)
    assert not request.by_rows
    assert (np.asarray(request.inputs) == IMAGES).all()


def test_the_signature_predict_images_takes_flat_images() -> None:
    request = parse(signature_name="predict_images", instances=(IMAGES / 255).reshape(2, 784).tolist())
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
def test_picture_files_replace_images(body: dict[str, object]) -> None:
    assert parse(**body).inputs == [b"picture", b"picture"]


def test_inputs_may_be_a_single_picture() -> None:
    assert parse(inputs=FILE).inputs == parse(inputs={"image": FILE}).inputs == [b"picture"]


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
    ],
)
def test_bad_bodies_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(MalformedRequest):
        parse(**body)


@pytest.mark.parametrize("signature_name", ["serving_default", "predict_images"])
def test_every_signature_takes_images_nested_and_flat(signature_name: str) -> None:
    for rows in (ROWS, IMAGES.reshape(2, 784).tolist(), IMAGES[..., np.newaxis].tolist()):
        for body in ({"instances": rows}, {"inputs": {"images": rows}}):
            assert (np.asarray(parse(signature_name=signature_name, **body).inputs) == IMAGES).all()


NAMED = {"images": ROWS[0]}
TEXT = FILE["b64"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"instances": [NAMED, ROWS[0]]}, "instances[0] is an object that names its input, and instances[1] is not"),
        ({"instances": [ROWS[0], NAMED]}, "instances[1] is an object that names its input, and instances[0] is not"),
        ({"instances": [FILE, {"image": FILE}]}, "instances[1] is an object that names its input"),
        ({"instances": [NAMED, {}]}, "Missing named input: images in instances[1]."),
        ({"instances": [NAMED, {"pixels": ROWS[0]}]}, "Missing named input: images in instances[1]. It has 'pixels'."),
        ({"instances": [NAMED, {"image": ROWS[0]}]}, "Missing named input: images in instances[1]."),
        ({"instances": [NAMED, {"images": ROWS[0], "x": 1}]}, "instances[1] has the inputs ['images', 'x']."),
        ({"inputs": {}}, "Missing named input: images in inputs."),
        ({"inputs": {"pixels": ROWS}}, "Missing named input: images in inputs. It has 'pixels'."),
        ({"inputs": ROWS[0]}, "'inputs' has the shape [28, 28], that of a single image"),
        ({"instances": ROWS[0]}, "It must be a list of images"),
        ({"instances": NAMED}, "must be a list with one element for each image"),
        ({"instances": TEXT}, "must be a list with one element for each image"),
        ({"instances": [{"image": TEXT}]}, 'A picture file is {"b64": "<base64>"}'),
        ({"instances": [TEXT]}, 'A picture file is {"b64": "<base64>"}'),
        ({"inputs": {"image": TEXT}}, '{"image": {"b64": "<base64>"}}'),
        ({"inputs": {"image": [TEXT]}}, 'A picture file is {"b64": "<base64>"}'),
    ],
)
def test_the_error_says_what_is_wrong_with_the_rows(body: dict[str, object], words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse(**body)
    assert words in str(caught.value)


def test_whole_numbers_to_1_are_ink_to_1_for_each_image_alone() -> None:
    ones = (IMAGES[0] > 127).astype(int)
    for signature_name in ("serving_default", "predict_images"):
        for other in ((IMAGES[1] / 255).tolist(), ROWS[1]):
            request = parse(signature_name=signature_name, instances=[ones.tolist(), other])
            assert (np.asarray(request.inputs) == [255 * ones, IMAGES[1]]).all()


def test_examples_take_features_from_the_context() -> None:
    def classify(**body: object) -> object:
        return asyncio.run(parse_classify(json.dumps(body).encode(), max_files=3))

    for rows in (ROWS, IMAGES.reshape(2, 784).tolist()):
        assert (np.asarray(classify(examples=[{"images": row} for row in rows])) == IMAGES).all()
    for name in ("", "serving_default", "predict_images", "classify_images"):
        assert classify(examples=[{"image": FILE}], signature_name=name) == [b"picture"]
    for name in ("other", 7):
        with pytest.raises(MalformedRequest, match="no signature"):
            classify(examples=[{"image": FILE}], signature_name=name)
    with pytest.raises(MalformedRequest, match=r"Missing named input: images in examples\[1\]"):
        classify(examples=[{"images": ROWS[0]}, {}])
    assert classify(examples=[{}, {}], context={"image": FILE}) == [b"picture", b"picture"]
    for body in ({}, {"examples": []}, {"examples": ROWS}, {"examples": [{}], "context": []}, {"examples": [{}]}):
        with pytest.raises(MalformedRequest):
            classify(**body)


def test_files_are_counted_and_a_shared_file_is_decoded_once() -> None:
    context = {"image": FILE}
    with pytest.raises(TooLarge, match="4 pictures are more than 3"):
        parse(instances=[FILE] * 4)
    for shared in (context, {"images": ROWS[0]}):
        with pytest.raises(TooLarge, match="4 examples share"):
            asyncio.run(parse_classify(json.dumps({"examples": [{}] * 4, "context": shared}).encode(), max_files=3))
    body = json.dumps({"examples": [{}] * 3, "context": context}).encode()
    first, *others = asyncio.run(parse_classify(body, max_files=3))
    assert all(other is first for other in others)


@pytest.mark.parametrize("scale", [1, 255])
def test_large_json_is_parsed_as_small_json_is(scale: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    rows = (images if scale == 1 else images / scale).tolist()
    named = [{"images": row} for row in rows]
    for body in ({"instances": rows}, {"instances": named}, {"inputs": rows}, {"inputs": {"images": rows}}):
        assert (np.asarray(parse(**body).inputs) == images).all()
    found = asyncio.run(parse_classify(json.dumps({"examples": named}).encode(), max_files=3))
    assert (np.asarray(found) == images).all()
