import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.model_repository.card import Card, FinderCard
from app.routes.models import Metrics, ModelList, ModelStatus
from tests.app.tiny_finder import publish_finder
from tests.conftest import MODELS, Serve

pytestmark = pytest.mark.anyio

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""The Accept headers of Prometheus 2 and 3."""


async def test_every_model_and_version_is_listed_with_its_card(client: httpx.AsyncClient) -> None:
    listed = ModelList.model_validate((await client.get("/models")).json())
    assert {"convnet", "softmax"} <= {model.name for model in listed.models}
    assert listed.default_model == "convnet"
    for model in listed.models:
        newest = model.versions[0]
        assert (newest.state, newest.version) == ("ready", model.served)
        assert isinstance(newest.card, FinderCard if model.name == "finder" else Card)
        if isinstance(newest.card, Card):
            assert newest.card.test.total == 10_000


async def test_a_broken_version_is_listed_with_its_reason(serve: Serve, models_dir: Path) -> None:
    for card in (models_dir / "softmax").glob("*/model.json"):
        card.unlink()
    async with serve(models_dir=models_dir, required_models="convnet") as client:
        with anyio.fail_after(30):
            # Not required, so the service is ready before this version has failed.
            while (softmax := await describe(client, "softmax")).versions[0].state == "loading":  # noqa: ASYNC110 - as any client
                await anyio.sleep(0.01)
    assert softmax.served is None
    assert softmax.versions[0].state == "failed"
    assert "model.json cannot be read" in str(softmax.versions[0].reason)


async def test_an_unreadable_model_is_listed_with_its_reason(serve: Serve, models_dir: Path) -> None:
    (models_dir / "loop").symlink_to("loop")
    (models_dir / os.fsdecode(b"\xff")).mkdir()
    async with serve(models_dir=models_dir) as client:
        loop, odd = await describe(client, "loop"), await describe(client, "\\udcff")
        index = (await client.post("/v2/repository/index")).json()
        inferred = await client.post("/v2/models/loop/infer")
        exposed = await client.get("/metrics", headers={"accept": "text/plain"})
    assert (loop.versions, loop.served) == ([], None)
    assert "loop cannot be read" in str(loop.reason)
    assert "not valid UTF-8" in str(odd.reason)
    assert {"name": "loop", "version": "", "state": "UNAVAILABLE", "reason": loop.reason} in index
    assert inferred.status_code == 503
    assert "loop cannot be read" in inferred.json()["error"]
    assert exposed.status_code == 200


async def describe(client: httpx.AsyncClient, name: str) -> ModelStatus:
    models = ModelList.model_validate((await client.get("/models")).json()).models
    return next(model for model in models if model.name == name)


async def test_metrics_give_the_accuracy_on_the_test_set(client: httpx.AsyncClient) -> None:
    metrics = Metrics.model_validate((await client.get("/metrics")).json()).models
    assert 0.91 <= metrics["softmax"].test.accuracy <= 0.93
    assert metrics["convnet"].test.accuracy > 0.995
    assert metrics["convnet"].test.correct == round(metrics["convnet"].test.accuracy * 10_000)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json;q=1, text/plain;q=0.1", "application/json"),
        ("text/plain;q=0, application/json", "application/json"),
        ("TEXT/PLAIN", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        (
            "application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.3",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
    ],
)
async def test_the_accept_header_selects_the_format_of_the_metrics(
    client: httpx.AsyncClient, accept: str, content_type: str
) -> None:
    response = await client.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"] == content_type
    assert response.headers["vary"] == "Accept"


async def test_without_an_accept_header_the_metrics_are_those_for_prometheus(client: httpx.AsyncClient) -> None:
    request = client.build_request("GET", "/metrics")
    del request.headers["accept"]
    response = await client.send(request)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_several_accept_headers_are_combined(client: httpx.AsyncClient) -> None:
    headers = [("accept", "application/json;q=0.1"), ("accept", "text/plain")]
    response = await client.get("/metrics", headers=headers)
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_the_metrics_for_prometheus_count_predictions_and_refusals(
    serve: Serve, seven: bytes, accept: str
) -> None:
    async with serve() as client:
        prediction = await client.post("/predict", content=seven, headers={"content-type": "image/png"})
        await client.post("/predict", content=b"text", headers={"content-type": "image/png"})
        response = await client.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"].startswith(accept.split(";", maxsplit=1)[0])
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    model = ("model", "convnet"), ("version", str(prediction.json()["version"]))
    assert samples["digitserve_predictions_total", ("digit", "7"), *model] == 1
    assert samples["digitserve_refusals_total", ("reason", "unsupported-picture")] == 1
    request = ("method", "POST"), ("route", "/predict"), ("status", "200")
    assert samples["digitserve_http_requests_total", *sorted((*request, *model))] == 1
    for stage in ("total", "read", "queue", "inference"):
        assert samples["digitserve_stage_duration_seconds_count", ("stage", stage)] >= 1
    assert samples["digitserve_test_accuracy_ratio", *model] > 0.995


@pytest.fixture(scope="module")
async def finding_client(
    anyio_backend: str, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service with the classifiers and a tiny finder."""
    models_dir = tmp_path_factory.mktemp("finding") / "models"
    shutil.copytree(MODELS, models_dir, ignore=shutil.ignore_patterns("finder"))
    publish_finder(models_dir)
    required = "convnet,softmax,finder"
    async with serve(models_dir=models_dir, required_models=required) as client:
        yield client


async def test_the_finder_is_listed_with_its_card(finding_client: httpx.AsyncClient) -> None:
    finder = await describe(finding_client, "finder")
    assert (finder.served, finder.labels, finder.versions[0].state) == (1, {"stable": 1, "latest": 1}, "ready")
    assert isinstance(finder.versions[0].card, FinderCard)
    assert "finder" not in (await finding_client.get("/metrics")).json()["models"]


async def test_the_protocols_report_the_finder(finding_client: httpx.AsyncClient) -> None:
    answers = {path: (await finding_client.get(path)) for path in FINDER_PATHS}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(FINDER_PATHS, 200)
    assert answers["/v2/models/finder"].json()["inputs"][0]["name"] == "pictures"
    assert answers["/v2/models/finder/config"].json()["input"][0]["dims"] == [-1, 192, 192, 3]
    assert answers["/v1/models/finder"].json()["model_version_status"][0]["state"] == "AVAILABLE"
    index = (await finding_client.post("/v2/repository/index")).json()
    assert {"name": "finder", "version": "1", "state": "READY", "reason": ""} in index


FINDER_PATHS = [
    "/v2/models/finder",
    "/v2/models/finder/ready",
    "/v2/models/finder/versions/1/config",
    "/v2/models/finder/config",
    "/v2/models/finder/stats",
    "/v2/models/stats",
    "/v1/models/finder",
    "/v1/models/finder/labels/stable",
    "/v1/models/finder/metadata",
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predict?model=finder"),
        ("POST", "/predict?model=finder&version=7"),
        ("POST", "/explain?model=finder"),
        ("GET", "/models/finder/weights"),
        ("POST", "/v1/models/finder:predict"),
        ("POST", "/v1/models/finder/labels/stable:classify"),
        ("POST", "/v2/models/finder/infer"),
        ("POST", "/v2/models/finder/versions/1/infer"),
    ],
)
async def test_a_request_to_classify_with_the_finder_names_the_classifiers(
    finding_client: httpx.AsyncClient, seven: bytes, method: str, path: str
) -> None:
    response = await finding_client.request(method, path, content=seven, headers={"content-type": "image/png"})
    body = response.json()
    assert response.status_code == 400
    assert body.get("detail", body.get("error")) == (
        "Model 'finder' finds digits in pictures; it does not classify images. "
        "Choose convnet or convnet-large or softmax."
    )
    assert body.get("type", NOT_A_CLASSIFIER) == NOT_A_CLASSIFIER


NOT_A_CLASSIFIER = "urn:digitserve:problem:not-a-classifier"


async def test_a_batch_with_the_finder_is_refused(finding_client: httpx.AsyncClient, seven: bytes) -> None:
    response = await finding_client.post("/predict/batch?model=finder", files=[("file", ("7.png", seven))])
    assert (response.status_code, response.json()["type"]) == (400, NOT_A_CLASSIFIER)


@pytest.mark.parametrize("breakage", ["missing", "altered"])
async def test_without_a_finder_the_service_is_ready_and_predicts(
    serve: Serve, models_dir: Path, seven: bytes, breakage: str
) -> None:
    directory = publish_finder(models_dir)
    if breakage == "missing":
        shutil.rmtree(directory.parent)
    else:
        (directory / "saved_model.pb").write_bytes(b"")
    async with serve(models_dir=models_dir) as client:
        prediction = await client.post("/predict", content=seven, headers={"content-type": "image/png"})
        assert prediction.json()["digit"] == 7
        if breakage == "altered":
            finder = await describe(client, "finder")
            assert (finder.versions[0].state, finder.served) == ("failed", None)
            assert "saved_model.pb has been altered" in str(finder.versions[0].reason)
            ready = await client.get("/v2/models/finder/ready")
            assert (ready.status_code, "has been altered" in ready.json()["error"]) == (503, True)
