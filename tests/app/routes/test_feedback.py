import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.schemas import Problem
from imaging import decode, preprocess_picture
from tests.conftest import Serve

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
async def collector(anyio_backend: str, serve: Serve, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service that collects corrections."""
    async with serve(feedback_dir=str(folder), feedback_seconds=5, feedback_key="secret") as client:
        yield client


async def predict(client: httpx.AsyncClient, picture: bytes) -> str:
    response = await client.post("/predict", content=picture, headers={"content-type": "image/png"})
    return str(response.json()["prediction_id"])


def assert_problem(response: httpx.Response, status: int, name: str, word: str) -> None:
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.type) == (status, f"urn:digitserve:problem:{name}")
    assert word in problem.detail


async def test_a_correction_stores_the_image_that_the_model_saw(
    collector: httpx.AsyncClient, folder: Path, seven: bytes
) -> None:
    correction = {"prediction_id": await predict(collector, seven), "label": 4}
    first, second = [await collector.post("/feedback", json=correction) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, {"label": "4", "new": True})
    assert (second.status_code, second.json()) == (200, {"label": "4", "new": False})
    (file,) = (folder / "4").iterdir()
    np.testing.assert_array_equal(decode(file.read_bytes()), preprocess_picture(seven).image)
    metrics = await collector.get("/metrics", headers={"accept": "text/plain"})
    assert 'digitserve_corrections_total{label="4"} 2.0' in metrics.text


@pytest.mark.parametrize("label", ["not_a_digit", "9"])
async def test_labels_can_be_text(collector: httpx.AsyncClient, folder: Path, seven: bytes, label: str) -> None:
    correction = {"prediction_id": await predict(collector, seven), "label": label}
    assert (await collector.post("/feedback", json=correction)).json()["label"] == label
    assert len(list((folder / label).iterdir())) == 1


async def test_each_prediction_of_a_batch_can_be_corrected(
    collector: httpx.AsyncClient, folder: Path, seven: bytes
) -> None:
    files = [("file", ("x.png", seven, "image/png"))] * 2
    for prediction in (await collector.post("/predict/batch", files=files)).json()["predictions"]:
        correction = {"prediction_id": prediction["prediction_id"], "label": 0}
        assert (await collector.post("/feedback", json=correction)).status_code == 200


@pytest.mark.parametrize("label", ["ten", 10, -1, "", True, None, [4], 4.5, "not a digit", "../7"])
async def test_an_invalid_label_is_refused(collector: httpx.AsyncClient, seven: bytes, label: object) -> None:
    correction = {"prediction_id": await predict(collector, seven), "label": label}
    assert_problem(
        await collector.post("/feedback", json=correction), 422, "wrong-label", "Expected a digit from 0 to 9"
    )


async def test_an_invalid_id_is_unknown(collector: httpx.AsyncClient) -> None:
    response = await collector.post("/feedback", json={"prediction_id": "made-up", "label": 4})
    assert_problem(response, 404, "unknown-prediction", "Request a new prediction")


@pytest.mark.parametrize(
    ("body", "status", "name", "word"),
    [
        (b"", 400, "malformed-request", "The body is not JSON: EOF"),
        (b"{", 400, "malformed-request", "The body is not JSON: EOF"),
        (b"\xff", 400, "malformed-request", "The body is not JSON: "),
        (b"[]", 400, "malformed-request", "The body is JSON, but not an object."),
        (b"null", 400, "malformed-request", "The body is JSON, but not an object."),
        (b"{}", 400, "malformed-request", "has no member 'prediction_id'. The body has no member 'label'."),
        (b'{"label": 4}', 400, "malformed-request", "The body has no member 'prediction_id'."),
        (b'{"prediction_id": "x"}', 400, "malformed-request", "The body has no member 'label'."),
        (b'{"prediction_id": 5, "label": 4}', 400, "malformed-request", "The member 'prediction_id' is 5: "),
        (b" " * 5000, 413, "request-too-large", "more than 4,096 bytes, the most that a correction may have."),
    ],
)
async def test_the_error_of_an_invalid_body_says_what_is_wrong(
    collector: httpx.AsyncClient, body: bytes, status: int, name: str, word: str
) -> None:
    response = await collector.post("/feedback", content=body)
    assert_problem(response, status, name, word)
    assert 'Expected {"prediction_id": "...", "label": 4}' in response.json()["detail"]
    assert "picture" not in response.json()["detail"]


async def test_a_full_store_is_a_problem_of_its_own(serve: Serve, tmp_path: Path, seven: bytes) -> None:
    async with serve(feedback_dir=str(tmp_path), feedback_limit=1) as client:
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "one.png").write_bytes(b"")
        response = await client.post("/feedback", json={"prediction_id": await predict(client, seven), "label": 4})
        assert_problem(response, 507, "feedback-full", "1 corrections are stored")


async def test_predictions_work_while_the_store_fails(serve: Serve, tmp_path: Path, seven: bytes) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    async with serve(feedback_dir=str(tmp_path / "store")) as client:
        response = await client.post("/feedback", json={"prediction_id": await predict(client, seven), "label": 4})
        assert_problem(response, 503, "feedback-unavailable", "Try again later")
        assert response.headers["retry-after"] == "1"
        assert await predict(client, seven)


async def test_without_a_store_predictions_have_no_id_and_corrections_are_refused(
    client: httpx.AsyncClient, seven: bytes
) -> None:
    response = await client.post("/predict", content=seven, headers={"content-type": "image/png"})
    assert list(response.json()) == [
        *("digit", "confidence", "probabilities", "abstained", "reason", "model", "version", "seen"),
    ]
    response = await client.post("/feedback", json={"prediction_id": "x", "label": 4})
    assert_problem(response, 404, "feedback-off", "Set FEEDBACK_DIR")


async def test_an_unknown_member_or_parameter_is_refused(collector: httpx.AsyncClient, seven: bytes) -> None:
    correction = {"prediction_id": await predict(collector, seven), "label": 7}
    unknown = await collector.post("/feedback", json={**correction, "lable": 4})
    assert_problem(unknown, 400, "malformed-request", "'lable' is unknown. Did you mean 'label'?")
    query = await collector.post("/feedback?label=4", json=correction)
    assert_problem(query, 400, "malformed-request", "'label', but there are none")


async def test_a_form_is_named_and_a_compressed_body_is_decompressed(
    collector: httpx.AsyncClient, seven: bytes
) -> None:
    correction = {"prediction_id": await predict(collector, seven), "label": "7"}
    form = await collector.post("/feedback", data=correction)
    assert_problem(form, 400, "malformed-request", "The body is a form (application/x-www-form-urlencoded)")
    body = gzip.compress(json.dumps(correction).encode())
    response = await collector.post("/feedback", content=body, headers={"content-encoding": "gzip"})
    assert response.status_code == 200
