import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.protocols.picture_files import encode_bytes_tensor
from imaging import preprocess_picture
from tests.conftest import Serve, newest, publish

pytestmark = pytest.mark.anyio

VERSION = newest("convnet").name
INFER = "/v2/models/convnet/infer"
HEADER = "inference-header-content-length"


@pytest.fixture(scope="session")
def images(seven: bytes) -> np.ndarray:
    return np.stack([preprocess_picture(seven).image] * 3)


def tensor(images: np.ndarray, **changes: object) -> dict[str, Any]:
    return {"name": "images", "shape": images.shape, "datatype": "UINT8", "data": images.tolist(), **changes}


async def infer(client: httpx.AsyncClient, body: object, **headers: str) -> dict[str, Any]:
    response = await client.post(INFER, json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    return body


def assert_error(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    assert words in response.json()["error"]


async def test_the_service_and_its_models_describe_themselves(client: httpx.AsyncClient) -> None:
    for path in ("/v2", "/v2/"):
        assert "binary_tensor_data" in (await client.get(path)).json()["extensions"]
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    for path in ("/v2/models", "/v2/models/"):
        assert {"convnet", "softmax", "finder"} <= set((await client.get(path)).json()["models"])
    for model in ("convnet", f"convnet/versions/{VERSION}", "convnet/versions/-1"):
        metadata = (await client.get(f"/v2/models/{model}")).json()
        assert metadata["name"] == "convnet"
        assert VERSION in metadata["versions"]
        assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
        assert (await client.get(f"/v2/models/{model}/ready")).json() == {"name": "convnet", "ready": True}
        configuration = (await client.get(f"/v2/models/{model}/config")).json()
        assert (configuration["backend"], configuration["max_batch_size"]) == ("openvino", 1024)
        assert configuration["input"][0]["dims"] == [28, 28]
    assert (await client.get("/v2/docs/dataplane.json")).json() == (await client.get("/openapi.json")).json()


async def test_the_statistics_of_a_model_are_those_of_every_version(serve: Serve, models_dir: Path) -> None:
    publish(models_dir, "softmax", 2)
    async with serve(models_dir=models_dir, keep_versions=2) as client:
        statistics = (await client.get("/v2/models/softmax/stats")).json()["model_stats"]
        assert [each["version"] for each in statistics] == ["2", "1"]
        [statistics] = (await client.get("/v2/models/softmax/versions/1/stats")).json()["model_stats"]
        assert statistics["version"] == "1"


async def test_the_newest_version_is_minus_1(serve: Serve, models_dir: Path, images: np.ndarray) -> None:
    publish(models_dir, "softmax", 2)
    async with serve(models_dir=models_dir, model_versions="softmax:1") as client:
        for which, version in (("", "1"), ("/versions/1", "1"), ("/versions/-1", "2"), ("/versions/2", "2")):
            response = await client.post(f"/v2/models/softmax{which}/infer", json={"inputs": [tensor(images)]})
            assert response.json()["model_version"] == version


async def test_all_forms_of_the_same_images_have_the_same_scores(
    client: httpx.AsyncClient, images: np.ndarray, seven: bytes
) -> None:
    expected = await infer(client, {"inputs": [tensor(images)], "id": "42"})
    assert (expected["model_name"], expected["model_version"], expected["id"]) == ("convnet", VERSION, "42")
    probabilities, logits = expected["outputs"]
    assert (probabilities["name"], logits["name"]) == ("probabilities", "logits")
    assert np.reshape(probabilities["data"], probabilities["shape"]).argmax(axis=1).tolist() == [7, 7, 7]
    flat = tensor(images, data=images.ravel().tolist())
    fractions = tensor(images, datatype="FP32", data=(images / 255).tolist())
    for inputs in (flat, fractions):
        assert (await infer(client, {"inputs": [inputs]}))["outputs"] == expected["outputs"]
    picture = await client.post(INFER, content=seven, headers={HEADER: "0"})
    np.testing.assert_allclose(picture.json()["outputs"][0]["data"], probabilities["data"][:10], atol=1e-6)


async def test_tensors_follow_the_json_in_request_and_response(client: httpx.AsyncClient, images: np.ndarray) -> None:
    inputs = tensor(images, parameters={"binary_data_size": images.nbytes})
    del inputs["data"]
    outputs = [{"name": "logits", "parameters": {"binary_data": True}}]
    text = json.dumps({"inputs": [inputs], "outputs": outputs}).encode()
    response = await client.post(INFER, content=text + images.tobytes(), headers={HEADER: str(len(text))})
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[HEADER])
    [output] = json.loads(response.content[:length])["outputs"]
    found = np.frombuffer(response.content[length:], "<f4").reshape(output["shape"])
    plain = await infer(client, {"inputs": [tensor(images)], "outputs": [{"name": "logits"}]})
    np.testing.assert_allclose(found.ravel(), plain["outputs"][0]["data"], atol=1e-6)


async def test_a_tensor_as_the_whole_body_is_answered_in_binary(client: httpx.AsyncClient, images: np.ndarray) -> None:
    response = await client.post(INFER, content=images.tobytes(), headers={HEADER: "0"})
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[HEADER])
    outputs = json.loads(response.content[:length])["outputs"]
    assert [output["shape"] for output in outputs] == [[3, 10], [3, 10]]
    expected = (await infer(client, {"inputs": [tensor(images)]}))["outputs"]
    found = np.frombuffer(response.content[length:], "<f4")
    np.testing.assert_allclose(found, [value for output in expected for value in output["data"]], atol=1e-6)


async def test_picture_files_are_classified_as_by_predict(client: httpx.AsyncClient, seven: bytes) -> None:
    raw = encode_bytes_tensor([seven, seven])
    inputs = {"name": "image", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    outputs = [{"name": "probabilities", "parameters": {"classification": 1}}]
    text = json.dumps({"inputs": [inputs], "outputs": outputs}).encode()
    response = await client.post(INFER, content=text + raw, headers={HEADER: str(len(text))})
    [output] = response.json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 1])
    assert [text.split(":")[1:] for text in output["data"]] == [["7", "7"]] * 2


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_may_be_compressed(
    client: httpx.AsyncClient, images: np.ndarray, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = compress(json.dumps({"inputs": [tensor(images)]}).encode())
    response = await client.post(INFER, content=body, headers={"content-encoding": encoding})
    assert response.json()["outputs"][0]["shape"] == [3, 10]


async def test_every_error_has_the_format_of_the_protocol(client: httpx.AsyncClient, images: np.ndarray) -> None:
    async def refuse(words: str, status: int = 400, **body: object) -> None:
        assert_error(await client.post(INFER, json=body), status, words)

    twice = [{"name": "logits"}] * 2
    await refuse("twice", inputs=[tensor(images)], outputs=twice)
    await refuse("64 bits", inputs=[tensor(images, shape=[2**40, 2**40, 28])])
    await refuse("none below 0", inputs=[tensor(images, shape=[-1, 28, 28])])
    await refuse("UINT8", inputs=[tensor(images, datatype="INT64")])
    assert_error(await client.post(INFER, content=b"{}", headers={HEADER: "3"}), 400, "Inference-Header")
    assert_error(await client.post(INFER, content=b'{"a":' + b"[" * 101 + b"]" * 101 + b"}"), 400, "100 deep")
    assert_error(await client.post(INFER, content=b"no picture", headers={HEADER: "0"}), 400, "picture")
    assert_error(await client.post(INFER, content=b"\x89PNG\r\n\x1a\n", headers={HEADER: "0"}), 422, "PNG")
    bomb = gzip.compress(bytes(9 << 20))
    assert_error(await client.post(INFER, content=bomb, headers={"content-encoding": "gzip"}), 413, "bytes")
    assert_error(await client.post(INFER, content=bytes(9 << 20)), 413, "bytes")
    assert_error(await client.post(INFER, content=b"x", headers={"content-encoding": "br"}), 415, "gzip")
    assert_error(await client.get("/v2/models/nobody"), 404, "convnet")
    assert_error(await client.get("/v2/models/convnet/versions/99"), 404, "no version 99")
    for version in ("one", "0", "-2", "1.0", "+1", "9" * 30):
        assert_error(await client.get(f"/v2/models/convnet/versions/{version}"), 400, "whole number")
        assert_error(await client.post(f"/v2/models/nobody/versions/{version}/infer"), 404, "nobody")
    assert_error(await client.get("/v2/nowhere"), 404, "/v2/nowhere")
    assert_error(await client.get(INFER), 405, "GET")
    assert (await infer(client, {"inputs": [tensor(images)]}))["outputs"]


async def test_a_service_or_model_that_is_not_ready_responds_with_503(
    serve: Serve, tmp_path: Path, images: np.ndarray
) -> None:
    async with serve(ready=False, models_dir=tmp_path, required_models="convnet") as client:
        response = await client.get("/v2/health/ready")
        assert (response.status_code, response.json()) == (503, {"ready": False})
    async with serve(ready=False) as client:
        response = await client.post(INFER, json={"inputs": [tensor(images)]})
        assert_error(response, 503, "loading")
        assert response.headers["retry-after"] == "1"


async def test_a_request_past_the_deadline_is_a_504(serve: Serve, images: np.ndarray) -> None:
    async with serve(deadline_seconds=1e-9) as client:
        assert_error(await client.post(INFER, json={"inputs": [tensor(images)]}), 504, "No answer within")


async def test_requests_are_counted_in_statistics_and_metrics(serve: Serve, images: np.ndarray) -> None:
    async with serve() as client:
        await infer(client, {"inputs": [tensor(images)]})
        await client.post(INFER, content=b"\x89PNG\r\n\x1a\n", headers={HEADER: "0"})
        every = (await client.get("/v2/models/stats")).json()["model_stats"]
        [one] = (await client.get("/v2/models/convnet/stats")).json()["model_stats"]
        assert one in every
        assert (one["inference_count"], one["execution_count"]) == (3, 1)
        stages = one["inference_stats"]
        assert all(stages[stage]["ns"] > 0 for stage in ("success", "compute_input", "compute_infer", "compute_output"))
        assert {stage: each["count"] for stage, each in stages.items()} == {
            **dict.fromkeys(("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"), 1),
            "cache_hit": 0,
            "cache_miss": 0,
        }
        [batch] = one["batch_stats"]
        assert (batch["batch_size"], batch["compute_infer"]) == (3, stages["compute_infer"])
        assert (one["response_stats"], one["memory_usage"]) == ({}, [])
        metrics = await client.get("/metrics", headers={"accept": "text/plain"})
        assert f'digitserve_predictions_total{{digit="7",model="convnet",version="{VERSION}"}} 3.0' in metrics.text


async def test_models_can_be_listed_unloaded_and_loaded(serve: Serve) -> None:
    async def index(**options: object) -> set[tuple[str, str]]:
        response = await client.post("/v2/repository/index", content=json.dumps(options) if options else b"")
        return {(entry["name"], entry["state"]) for entry in response.json()}

    async with serve() as client:
        assert ("softmax", "READY") in await index()
        assert (await client.post("/v2/repository/models/softmax/unload")).status_code == 200
        assert ("softmax", "UNAVAILABLE") in await index()
        assert ("softmax", "UNAVAILABLE") not in await index(ready=True)
        assert_error(await client.get("/v2/models/softmax/ready"), 503, "unloaded")
        assert_error(await client.get("/v2/models/softmax/versions/-1/ready"), 503, "unloaded")
        assert (await client.get("/v2/health/ready")).json() == {"ready": True}
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.post("/v2/repository/models/softmax/load")).status_code == 200
        assert ("softmax", "READY") in await index(ready=True)
        assert_error(await client.post("/v2/repository/models/nobody/load"), 404, "nobody")
        assert_error(await client.post("/v2/repository/index", json={"ready": 1}), 400, "ready")
        assert (await client.post("/v2/repository/index", json={"ready": None})).status_code == 200
        for name in ("config", "unload_dependents"):
            refused = await client.post("/v2/repository/models/softmax/load", json={"parameters": {name: True}})
            assert_error(refused, 400, f"has the parameters '{name}'. Expected none")
