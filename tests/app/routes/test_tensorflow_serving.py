import base64

import httpx
import numpy as np
import pytest

from imaging import preprocess_picture
from tests.conftest import newest

pytestmark = pytest.mark.anyio

VERSION = newest("convnet").name
PREDICT = "/v1/models/convnet:predict"


@pytest.fixture(scope="session")
def image(seven: bytes) -> np.ndarray:
    return preprocess_picture(seven).image


def assert_error(response: httpx.Response, status: int, text: str) -> None:
    assert (response.status_code, response.json()) == (status, {"error": text})
    assert response.headers["content-type"] == "application/json"


async def test_rows_columns_and_pictures_have_the_same_scores(
    client: httpx.AsyncClient, image: np.ndarray, seven: bytes
) -> None:
    file = {"b64": base64.b64encode(seven).decode()}
    for instance in (image.tolist(), {"images": image.tolist()}, {"image": file}, file):
        [row] = (await client.post(PREDICT, json={"instances": [instance]})).json()["predictions"]
        assert np.argmax(row["probabilities"]) == np.argmax(row["logits"]) == 7
    for inputs in ([image.tolist()], {"images": [image.tolist()]}, {"image": [file]}):
        columns = (await client.post(PREDICT, json={"inputs": inputs})).json()["outputs"]
        np.testing.assert_allclose(columns["probabilities"], [row["probabilities"]], atol=1e-6)


async def test_the_signature_predict_images_takes_flat_images(client: httpx.AsyncClient, image: np.ndarray) -> None:
    body = {"signature_name": "predict_images", "inputs": {"images": (image / 255).reshape(1, 784).tolist()}}
    [scores] = (await client.post(PREDICT, json=body)).json()["outputs"]
    assert np.argmax(scores) == 7


@pytest.mark.parametrize(
    "which", ["", f"/versions/{VERSION}", "/versions/0", "/versions/00", "/labels/stable", "/labels/latest"]
)
async def test_a_path_may_name_a_version_or_a_label(client: httpx.AsyncClient, image: np.ndarray, which: str) -> None:
    path = f"/v1/models/convnet{which}"
    assert (await client.post(f"{path}:predict", json={"instances": [image.tolist()]})).status_code == 200
    [result] = (await client.post(f"{path}:classify", json={"examples": [{"images": image.tolist()}]})).json()[
        "results"
    ]
    assert max(result, key=lambda pair: pair[1])[0] == "7"
    statuses = (await client.get(path)).json()["model_version_status"]
    assert {"version": VERSION, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}} in statuses
    assert (await client.get(f"{path}/metadata")).json()["model_spec"]["version"] == VERSION


async def test_the_keywords_of_a_path_ignore_case_and_names_do_not(
    client: httpx.AsyncClient, image: np.ndarray
) -> None:
    path = f"/V1/MODELS/convnet/Versions/{VERSION}:Predict"
    assert (await client.post(path, json={"instances": [image.tolist()]})).status_code == 200
    assert (await client.get("/V1/Models/convnet/Metadata")).status_code == 200
    assert (await client.get("/v1/models/Convnet")).status_code == 404


async def test_errors_have_the_messages_of_tensorflow_serving(client: httpx.AsyncClient, seven: bytes) -> None:
    assert_error(await client.get("/v1/models/m"), 404, "Servable not found for request: Latest(m)")
    assert_error(await client.post("/v1/models/m:predict"), 404, "Servable not found for request: Latest(m)")
    assert_error(
        await client.get("/v1/models/convnet/versions/9"), 404, "Servable not found for request: Specific(convnet, 9)"
    )
    assert_error(await client.post("/v1/models/m/labels/x:regress"), 404, "Servable not found for request: Label(m, x)")
    assert_error(await client.post("/v1/models/m:regress", json={}), 404, "Servable not found for request: Latest(m)")
    for path in ("/v1", "/v1/", "/v1/nowhere", PREDICT, "/v1/models/convnet/other"):
        assert_error(await client.get(path), 400, f"Malformed request: GET {path}")
    for version in ("x", "HELLO", "-1", "1.0", "+1", "²", "9" * 30):
        for path in (f"/v1/models/convnet/versions/{version}", f"/v1/models/convnet/versions/{version}/metadata"):
            assert (await client.get(path)).json()["error"].startswith("Malformed request: GET /v1/models/convnet/v")
        for verb in ("predict", "classify", "regress"):
            response = await client.post(f"/v1/models/convnet/versions/{version}:{verb}")
            assert response.json()["error"].startswith("Malformed request: POST /v1/models/convnet/v")


@pytest.mark.parametrize("suffix", ["", "/metadata", ":predict", ":classify", ":regress"])
async def test_an_unknown_label_is_a_400_as_in_tensorflow_serving(client: httpx.AsyncClient, suffix: str) -> None:
    path = f"/v1/models/convnet/labels/canary{suffix}"
    response = await client.request("POST" if ":" in suffix else "GET", path, json={"instances": []})
    assert response.status_code == 400
    assert response.json()["error"].startswith("Unrecognized servable version label: canary.")


async def test_the_status_of_version_0_is_that_of_the_default_version(client: httpx.AsyncClient) -> None:
    [status] = (await client.get("/v1/models/convnet/versions/0")).json()["model_version_status"]
    assert (status["version"], status["state"]) == (VERSION, "AVAILABLE")
    assert (await client.get("/v1/models/m/versions/0")).status_code == 404


async def test_prometheus_finds_the_metrics_where_tensorflow_serving_has_them(client: httpx.AsyncClient) -> None:
    for accept in ("*/*", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/json"):
        response = await client.get("/monitoring/prometheus/metrics", headers={"accept": accept})
        assert "digitserve_http_requests" in response.text
        assert response.headers["content-type"].startswith(("text/plain", "application/openmetrics-text"))


async def test_the_names_of_the_models_are_listed(client: httpx.AsyncClient) -> None:
    for path in ("/v1/models", "/v1/models/", "/V1/Models"):
        assert {"convnet", "softmax", "finder"} <= set((await client.get(path)).json()["models"])


async def test_bad_requests_are_400_whatever_is_wrong_with_them(client: httpx.AsyncClient, seven: bytes) -> None:
    bodies = [b"", b"[", b"{}", b'{"instances": []}', b'{"instances": [{"b64": "eA=="}]}']
    for body in bodies:
        response = await client.post(PREDICT, content=body)
        assert (response.status_code, list(response.json())) == (400, ["error"])
    assert (await client.post("/v1/models/convnet:regress", json={"examples": []})).status_code == 400
    assert (await client.post("/v1/models/convnet:classify", json={"examples": []})).status_code == 400
    assert (await client.post(PREDICT, content=bytes(9 << 20))).status_code == 413
    assert (await client.post(PREDICT, content=b"x", headers={"content-encoding": "br"})).status_code == 400
