from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from app.grpc.open_inference import SERVICE
from app.grpc.stubs.inference_pb2 import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse
from imaging import preprocess_picture
from tests.app.grpc.calling import Stub
from tests.conftest import newest

pytestmark = pytest.mark.anyio

VERSION = newest("convnet").name


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Stub:
    return Stub(channel, SERVICE)


@pytest.fixture(scope="session")
def image(seven: bytes) -> np.ndarray:
    return preprocess_picture(seven).image


def tensor(image: np.ndarray, count: int = 1, **changes: object) -> dict[str, Any]:
    raw = np.repeat(image[np.newaxis], count, axis=0).tobytes()
    member = {"name": "images", "datatype": "UINT8", "shape": [count, 28, 28], **changes}
    return {"model_name": "convnet", "inputs": [member], "raw_input_contents": [raw]}


def arrays(response: ModelInferResponse) -> dict[str, np.ndarray]:
    pairs = zip(response.outputs, response.raw_output_contents, strict=True)
    return {output.name: np.frombuffer(raw, "<f4").reshape(output.shape) for output, raw in pairs}


async def test_the_service_and_its_models_describe_themselves(stub: Stub) -> None:
    assert (await stub("ServerLive")).live
    assert (await stub("ServerReady")).ready
    assert "classification" in (await stub("ServerMetadata")).extensions
    for version in ("", VERSION, "-1"):
        assert (await stub("ModelReady", name="convnet", version=version)).ready
        metadata = await stub("ModelMetadata", name="convnet", version=version)
        assert (metadata.name, list(metadata.versions), metadata.platform) == (
            "convnet",
            [VERSION],
            "tensorflow_savedmodel",
        )
        assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [
            ("images", "UINT8", [-1, 28, 28])
        ]
        config = (await stub("ModelConfig", name="convnet", version=version)).config
        assert list(config.version_policy.specific.versions) == [int(VERSION)]
        assert (config.backend, list(config.output[0].dims)) == ("openvino", [10])


async def test_a_model_that_does_not_exist_is_not_ready(stub: Stub) -> None:
    assert not (await stub("ModelReady", name="nobody")).ready
    assert not (await stub("ModelReady", name="convnet", version="99")).ready
    await stub.refused("INVALID_ARGUMENT", "The version is 'x'", "ModelReady", name="convnet", version="x")


async def test_the_scores_are_those_of_rest(
    service: tuple[grpc.aio.Channel, httpx.AsyncClient], stub: Stub, image: np.ndarray
) -> None:
    body = {"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 28, 28], "data": image.tolist()}]}
    answer = (await service[1].post("/v2/models/convnet/infer", json=body)).json()
    response = await stub("ModelInfer", **tensor(image), id="42")
    assert (response.model_name, response.model_version, response.id) == ("convnet", VERSION, "42")
    for output in answer["outputs"]:
        np.testing.assert_allclose(arrays(response)[output["name"]].ravel(), output["data"], atol=1e-5)


async def test_images_are_sent_raw_and_typed(stub: Stub, image: np.ndarray) -> None:
    expected = arrays(await stub("ModelInfer", **tensor(image)))["logits"]
    member = {"name": "images", "shape": [1, 28, 28]}
    typed = [("UINT8", "uint_contents", image), ("FP32", "fp32_contents", image / 255)]
    for datatype, field, values in typed:
        inputs = [{**member, "datatype": datatype, "contents": {field: values.ravel().tolist()}}]
        found = arrays(await stub("ModelInfer", model_name="convnet", inputs=inputs))["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-4)
    raw = (image / 255).astype("<f4").tobytes()
    inputs = [{**member, "datatype": "FP32"}]
    found = arrays(await stub("ModelInfer", model_name="convnet", inputs=inputs, raw_input_contents=[raw]))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


async def test_picture_files_are_sent_raw_and_typed(stub: Stub, seven: bytes, image: np.ndarray) -> None:
    expected = arrays(await stub("ModelInfer", **tensor(image, 2)))["logits"]
    member = {"name": "image", "datatype": "BYTES", "shape": [2]}
    element = len(seven).to_bytes(4, "little") + seven
    inputs = [{**member, "contents": {"bytes_contents": [seven, seven]}}]
    for members in ({"inputs": inputs}, {"inputs": [member], "raw_input_contents": [2 * element]}):
        found = arrays(await stub("ModelInfer", model_name="convnet", **members))["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-4)


async def test_outputs_are_chosen(stub: Stub, image: np.ndarray) -> None:
    response = await stub("ModelInfer", **tensor(image), outputs=[{"name": "logits"}])
    assert [output.name for output in response.outputs] == ["logits"]
    best = {"name": "probabilities", "parameters": {"classification": {"int64_param": 3}}}
    response = await stub("ModelInfer", **tensor(image, 600), outputs=[best, {"name": "logits"}])
    assert [(output.datatype, list(output.shape)) for output in response.outputs] == [
        ("BYTES", [600, 3]),
        ("FP32", [600, 10]),
    ]
    assert len(response.raw_output_contents) == 2
    assert b":7:7" in response.raw_output_contents[0][:30]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model_name": "nobody"}, "NOT_FOUND", "There is no model 'nobody'. Available models: convnet"),
        ({"model_name": "finder"}, "INVALID_ARGUMENT", "it does not classify images"),
        ({"model_version": "99"}, "NOT_FOUND", "has no version 99"),
        ({"model_version": "1.5"}, "INVALID_ARGUMENT", "Expected a whole number"),
        ({"inputs": [], "raw_input_contents": []}, "INVALID_ARGUMENT", "must be a list of one tensor"),
        ({"raw_input_contents": [bytes(783)]}, "INVALID_ARGUMENT", "has 783 bytes; UINT8 of shape [1, 28, 28] has 784"),
        ({"raw_input_contents": []}, "INVALID_ARGUMENT", "0 values"),
        ({"outputs": [{"name": "scores"}]}, "INVALID_ARGUMENT", "The outputs are: probabilities, logits."),
        ({"outputs": [{"name": "logits"}] * 2}, "INVALID_ARGUMENT", "requested twice"),
        ({"parameters": {"triton_x": {"int64_param": 1}}}, "INVALID_ARGUMENT", "reserved"),
        ({"parameters": {"sequence_start": {"int64_param": 1}}}, "INVALID_ARGUMENT", "Expected true or false"),
        ({"id": "x" * 5000}, "INVALID_ARGUMENT", "at most 4,096 characters"),
    ],
)
async def test_bad_requests_are_refused(
    stub: Stub, image: np.ndarray, changes: dict[str, Any], code: str, words: str
) -> None:
    await stub.refused(code, words, "ModelInfer", **{**tensor(image), **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [2**40, 28, 28]}, "UINT8 of shape"),
        ({"shape": [2**62, 2**62]}, "more elements than can be counted"),
        ({"shape": [-1, 28, 28]}, "none below 0"),
        ({"shape": [0, 28, 28]}, "n of 1 or more"),
        ({"shape": [1, 784]}, "Send the same values with the shape [1, 28, 28]."),
        ({"shape": []}, "1 to 8 lengths"),
        ({"datatype": "INT64"}, "Expected UINT8, or FP32"),
        ({"name": "pixels"}, "There is no input 'pixels'"),
        ({"name": "image", "datatype": "BYTES", "shape": [1]}, "more elements than its shape"),
        ({"name": "image", "datatype": "BYTES", "shape": [1000]}, "1,000 pictures are more than 64"),
        ({"parameters": {"shared_memory_region": {"string_param": "x"}}}, "no shared memory"),
    ],
)
async def test_bad_inputs_are_refused(stub: Stub, image: np.ndarray, changes: dict[str, Any], words: str) -> None:
    code = "RESOURCE_EXHAUSTED" if "are more than" in words else "INVALID_ARGUMENT"
    await stub.refused(code, words, "ModelInfer", **tensor(image, **changes))


async def test_a_message_above_the_limit_is_refused_and_the_next_is_answered(stub: Stub, image: np.ndarray) -> None:
    large = {**tensor(image), "raw_input_contents": [bytes(64 * 2**20)]}
    await stub.refused("RESOURCE_EXHAUSTED", "larger than max", "ModelInfer", **large)
    assert (await stub("ModelInfer", **tensor(image))).outputs
    assert (await stub("ModelInfer", **tensor(image, 10_000))).outputs[0].shape[0] == 10_000


async def test_compression_does_not_hide_the_size_of_a_message(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    request = ModelInferRequest(raw_input_contents=[bytes(64 * 2**20)]).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(request, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_stream_is_answered_in_its_order(channel: grpc.aio.Channel, image: np.ndarray) -> None:
    call = channel.stream_stream(
        f"/{SERVICE.full_name}/ModelStreamInfer",
        ModelInferRequest.SerializeToString,
        ModelStreamInferResponse.FromString,
    )()
    for name in ("convnet", "nobody", "softmax"):
        await call.write(ModelInferRequest(**{**tensor(image), "model_name": name, "id": name}))
    await call.done_writing()
    responses = [response async for response in call]
    assert [response.infer_response.id for response in responses] == ["convnet", "", "softmax"]
    assert "no model 'nobody'" in responses[1].error_message
    assert responses[0].infer_response.parameters["triton_final_response"].bool_param


async def test_a_model_is_listed_unloaded_and_loaded(stub: Stub, image: np.ndarray) -> None:
    entries = (await stub("RepositoryIndex")).models
    assert {(entry.name, entry.state) for entry in entries} >= {("convnet", "READY"), ("softmax", "READY")}
    await stub("RepositoryModelUnload", model_name="softmax")
    try:
        assert not (await stub("ModelReady", name="softmax")).ready
        assert (await stub("ServerReady")).ready
        await stub.refused(
            "UNAVAILABLE", "has been unloaded", "ModelInfer", **{**tensor(image), "model_name": "softmax"}
        )
        assert "softmax" not in {entry.name for entry in (await stub("RepositoryIndex", ready=True)).models}
    finally:
        await stub("RepositoryModelLoad", model_name="softmax")
    assert (await stub("ModelReady", name="softmax")).ready
    await stub.refused("NOT_FOUND", "nobody", "RepositoryModelLoad", model_name="nobody")
    overrides = {"config": {"string_param": "{}"}}
    await stub.refused(
        "INVALID_ARGUMENT", "parameters config", "RepositoryModelLoad", model_name="softmax", parameters=overrides
    )


async def test_the_statistics_count_the_calls(stub: Stub, image: np.ndarray) -> None:
    async def count() -> int:
        [statistics] = (await stub("ModelStatistics", name="convnet", version=VERSION)).model_stats
        return int(statistics.inference_stats.success.count)

    before = await count()
    await stub("ModelInfer", **tensor(image))
    assert await count() == before + 1
    assert {each.name for each in (await stub("ModelStatistics")).model_stats} >= {"convnet", "softmax"}
