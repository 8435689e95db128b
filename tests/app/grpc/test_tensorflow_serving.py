from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from app.grpc.stubs import tensorflow_serving_pb2 as messages
from app.grpc.tensorflow_serving import MODEL_SERVICE, PREDICTION_SERVICE
from imaging import preprocess_picture
from tests.app.grpc.calling import Stub
from tests.conftest import newest

pytestmark = pytest.mark.anyio

VERSION = int(newest("convnet").name)
SPEC = {"name": "convnet"}


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Stub:
    return Stub(channel, PREDICTION_SERVICE)


@pytest.fixture
def states(channel: grpc.aio.Channel) -> Stub:
    return Stub(channel, MODEL_SERVICE)


@pytest.fixture(scope="session")
def image(seven: bytes) -> np.ndarray:
    return preprocess_picture(seven).image


def tensor(dtype: int, shape: tuple[int, ...], **members: object) -> dict[str, Any]:
    return {"dtype": dtype, "tensor_shape": {"dim": [{"size": size} for size in shape]}, **members}


def uint8(image: np.ndarray, *shape: int) -> dict[str, Any]:
    return tensor(4, shape or (1, 28, 28), tensor_content=image.tobytes())


async def test_the_scores_are_those_of_rest(
    service: tuple[grpc.aio.Channel, httpx.AsyncClient], stub: Stub, image: np.ndarray
) -> None:
    answer = (await service[1].post("/v1/models/convnet:predict", json={"instances": [image.tolist()]})).json()
    response = await stub("Predict", model_spec=SPEC, inputs={"images": uint8(image)})
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("convnet", VERSION, "serving_default")
    assert set(response.outputs) == {"probabilities", "logits"}
    for name, found in response.outputs.items():
        np.testing.assert_allclose(found.float_val, answer["predictions"][0][name], atol=1e-5)


async def test_images_have_any_type_and_shape(stub: Stub, image: np.ndarray, seven: bytes) -> None:
    inputs = [
        {"images": uint8(image, 1, 784)},
        {"images": uint8(image, 1, 28, 28, 1)},
        {"images": tensor(4, (1, 28, 28), int_val=image.ravel().tolist())},
        {"images": tensor(9, (1, 784), int64_val=image.ravel().tolist())},
        {"images": tensor(1, (1, 28, 28), float_val=(image / 255).ravel().tolist())},
        {"images": tensor(2, (1, 28, 28), tensor_content=image.astype("<f8").tobytes())},
        {"image": tensor(7, (1,), string_val=[seven])},
    ]
    expected = (await stub("Predict", model_spec=SPEC, inputs={"images": uint8(image)})).outputs["logits"].float_val
    for each in inputs:
        response = await stub("Predict", model_spec=SPEC, inputs=each)
        np.testing.assert_allclose(response.outputs["logits"].float_val, expected, atol=1e-4)


async def test_images_of_type_uint8_are_exact(stub: Stub) -> None:
    faint = np.zeros((28, 28), np.uint8)
    faint[4:24, 13:16] = 1  # nearly black, and not ink from 0.0 to 1.0
    bright = await stub("Predict", model_spec=SPEC, inputs={"images": uint8(faint * 255)})
    dark = await stub("Predict", model_spec=SPEC, inputs={"images": uint8(faint)})
    assert list(dark.outputs["logits"].float_val) != list(bright.outputs["logits"].float_val)


async def test_the_outputs_are_those_of_the_signature_and_the_filter(stub: Stub, image: np.ndarray) -> None:
    response = await stub("Predict", model_spec=SPEC, inputs={"images": uint8(image)}, output_filter=["logits"])
    assert set(response.outputs) == {"logits"}
    spec = {**SPEC, "signature_name": "predict_images"}
    response = await stub("Predict", model_spec=spec, inputs={"images": uint8(image)})
    assert (set(response.outputs), response.model_spec.signature_name) == ({"scores"}, "predict_images")


@pytest.mark.parametrize(
    "choice", [{"version": {"value": VERSION}}, {"version": {"value": 0}}, {"version_label": "stable"}]
)
async def test_a_version_is_chosen(stub: Stub, states: Stub, image: np.ndarray, choice: dict[str, Any]) -> None:
    spec = {**SPEC, **choice}
    response = await stub("Predict", model_spec=spec, inputs={"images": uint8(image)})
    assert response.model_spec.version.value == VERSION
    [found] = (await states("GetModelStatus", model_spec=spec)).model_version_status
    assert (found.version, found.state, found.status.error_code) == (VERSION, found.AVAILABLE, 0)


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({}, "INVALID_ARGUMENT", "has no name"),
        ({"name": "nobody"}, "NOT_FOUND", "Servable not found for request: Latest(nobody)"),
        ({**SPEC, "version": {"value": 99}}, "NOT_FOUND", "Servable not found for request: Specific(convnet, 99)"),
        ({**SPEC, "version_label": "x"}, "INVALID_ARGUMENT", "Unrecognized servable version label: x."),
    ],
)
async def test_an_unknown_model_has_the_words_of_tensorflow_serving(
    stub: Stub, states: Stub, spec: dict[str, Any], code: str, words: str
) -> None:
    for method in ("Predict", "Classify", "Regress"):
        await stub.refused(code, words, method, model_spec=spec)
    await stub.refused(code, words, "GetModelMetadata", model_spec=spec, metadata_field=["signature_def"])
    await states.refused(code, words, "GetModelStatus", model_spec=spec)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "Missing named input: images in inputs. Expected 'images', numbers"),
        ({"inputs": {"pixels": tensor(4, (1,), int_val=[0])}}, "It has 'pixels'."),
        ({"inputs": {"images": {}, "image": {}}}, "The type of"),
        ({"inputs": {"images": tensor(4, (28, 28), tensor_content=bytes(784))}}, "that of a single image"),
        ({"inputs": {"images": tensor(1, (1, 28, 28), float_val=[-1] * 784)}}, "A value of inputs[0] is -1"),
        ({"inputs": {"images": tensor(4, (0, 28, 28), tensor_content=b"")}}, "its shape [0, 28, 28] has 0"),
        ({"inputs": {"image": tensor(7, (1,), string_val=[b"x"])}}, "not a picture"),
        ({"output_filter": ["x"]}, "There is no output 'x'."),
        ({"model_spec": {**SPEC, "signature_name": "x"}}, "There is no signature 'x'."),
    ],
)
async def test_bad_requests_to_predict_are_refused(stub: Stub, members: dict[str, Any], words: str) -> None:
    await stub.refused("INVALID_ARGUMENT", words, "Predict", **{"model_spec": SPEC, **members})


async def test_too_many_pictures_are_refused(stub: Stub) -> None:
    inputs = {"image": tensor(7, (65,), string_val=[b""] * 65)}
    await stub.refused("RESOURCE_EXHAUSTED", "65 pictures are more than 64", "Predict", model_spec=SPEC, inputs=inputs)


async def test_examples_are_classified(stub: Stub, image: np.ndarray, seven: bytes) -> None:
    floats = {"images": {"float_list": {"value": (image / 255).ravel().tolist()}}}
    integers = {"images": {"int64_list": {"value": image.ravel().tolist()}}}
    file = {"image": {"bytes_list": {"value": [seven]}}}
    for features in ([floats], [integers, integers], [file]):
        examples = [{"features": {"feature": each}} for each in features]
        response = await stub("Classify", model_spec=SPEC, input={"example_list": {"examples": examples}})
        assert (response.model_spec.version.value, response.model_spec.signature_name) == (VERSION, "classify_images")
        assert len(response.result.classifications) == len(features)
        for found in response.result.classifications:
            assert [each.label for each in found.classes] == list("0123456789")
            assert max(found.classes, key=lambda each: each.score).label == "7"
    shared = {"examples": [{}, {}], "context": {"features": {"feature": floats}}}
    response = await stub("Classify", model_spec=SPEC, input={"example_list_with_context": shared})
    assert len(response.result.classifications) == 2


async def test_bad_examples_are_refused(stub: Stub) -> None:
    for method in ("Classify", "Regress"):
        await stub.refused("INVALID_ARGUMENT", "", method, model_spec=SPEC)
    example = {"features": {"feature": {"pixels": {"float_list": {"value": [1]}}}}}
    members = {"model_spec": SPEC, "input": {"example_list": {"examples": [example]}}}
    await stub.refused("INVALID_ARGUMENT", "Missing named input", "Classify", **members)
    await stub.refused("INVALID_ARGUMENT", "no signature for regression", "Regress", **members)


async def test_the_metadata_has_the_signatures(stub: Stub) -> None:
    response = await stub("GetModelMetadata", model_spec=SPEC, metadata_field=["signature_def"])
    assert (response.model_spec.name, response.model_spec.version.value) == ("convnet", VERSION)
    signatures = messages.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "classify_images"} <= set(signatures.signature_def)
    found = signatures.signature_def["serving_default"].inputs["images"]
    assert (found.dtype, [dim.size for dim in found.tensor_shape.dim]) == (4, [-1, 28, 28])
    for fields in ([], ["x"]):
        await stub.refused(
            "INVALID_ARGUMENT", "Expected ['signature_def']", "GetModelMetadata", model_spec=SPEC, metadata_field=fields
        )
