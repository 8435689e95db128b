"""The fast path alone, and compared with the application: both give the same answers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
import structlog
from starlette.responses import Response
from starlette.types import Scope
from structlog.testing import LogCapture

from app.inference.engines import LARGEST_BATCH
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.prediction.predictor import PendingPicture
from app.schemas import Prediction
from app.server.fast_path import MAX_BATCHES, FastPath
from app.server.worker import create_worker_app
from app.settings import Settings
from imaging import ExpensivePicture, encode_png
from tests.conftest import MODELS, newest

pytestmark = pytest.mark.anyio


class Request:
    """A request, its response, and how often its admission was released."""

    def __init__(
        self, body: bytes, query: str = "", type_: str = "image/png", headers: dict[str, str] | None = None
    ) -> None:
        sent = {"content-type": type_, "content-length": str(len(body)), **(headers or {})}
        self.scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "state": {"admission": self},
        }
        self.body = body
        self.released = 0
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def release(self) -> None:
        self.released += 1

    def submit_to(self, fast_path: FastPath) -> Callable[[], object] | None:
        return fast_path.submit(self.scope, self.body, self.answer.set_result)

    async def response(self) -> Response:
        return await asyncio.wait_for(self.answer, 10)


@pytest.fixture(scope="module")
async def fast_path(anyio_backend: str) -> AsyncIterator[FastPath]:
    """Return the fast path of an application with the published models."""
    app = create_worker_app(Settings.model_validate({"models_dir": MODELS, "access_log": False}))
    async with app.router.lifespan_context(app) as state:
        while app.state.catalogue.not_ready_reasons():  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        yield state["fast_path"]  # type: ignore[index]


def encode_form(picture: bytes) -> tuple[bytes, str]:
    encoded = httpx.Request("POST", "http://service", files={"file": ("digit.png", picture)})
    return encoded.read(), encoded.headers["content-type"]


def draw_one() -> bytes:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[15:85, 45:55] = 255
    return encode_png(pixels)


@pytest.mark.parametrize("query", ["", "model=softmax", "seen=true", f"version={newest('convnet').name}&model=convnet"])
@pytest.mark.parametrize("as_form", [False, True])
async def test_the_fast_path_and_the_application_give_the_same_answer(
    client: httpx.AsyncClient, fast_path: FastPath, seven: bytes, query: str, *, as_form: bool
) -> None:
    body, type_ = encode_form(seven) if as_form else (seven, "image/png")
    request = Request(body, query, type_, {"x-request-id": "mine"})
    expected = await client.post(
        f"/predict?{query}", content=body, headers={"content-type": type_, "x-request-id": "mine"}
    )
    assert request.submit_to(fast_path) is not None
    response = await request.response()
    assert (response.status_code, response.body) == (expected.status_code, expected.content) != (404, expected.content)
    assert set(response.headers) == set(expected.headers)
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["server-timing"].startswith("total;dur=")
    assert request.released == 1


@pytest.mark.parametrize("picture", [b"\x89PNG\r\n\x1a\nbroken", b"no picture", b"\xff\xd8\xffbroken"])
async def test_the_fast_path_and_the_application_report_the_same_errors(
    client: httpx.AsyncClient, fast_path: FastPath, picture: bytes
) -> None:
    request = Request(picture, headers={"x-request-id": "mine"})
    expected = await client.post(
        "/predict", content=picture, headers={"content-type": "image/png", "x-request-id": "mine"}
    )
    assert request.submit_to(fast_path) is not None
    assert not request.answer.done()  # the connection has not finished reading
    response = await request.response()
    assert (response.status_code, response.body) == (expected.status_code, expected.content)
    assert set(response.headers) == set(expected.headers)
    assert response.status_code in {415, 422}
    assert request.released == 1


async def test_each_request_of_a_batch_has_its_own_answer(fast_path: FastPath, seven: bytes) -> None:
    one, (empty_form, form_type) = draw_one(), encode_form(b"")
    requests = [
        Request(seven),
        Request(b"\x89PNG\r\n\x1a\nbroken"),
        Request(one, "seen=true"),
        Request(seven, "model=softmax"),
        Request(empty_form, type_=form_type),
    ]
    for request in requests:
        assert request.submit_to(fast_path) is not None
    seven_, broken, one_, by_softmax, empty = [
        (response.status_code, json.loads(bytes(response.body)))
        for response in [await request.response() for request in requests]
    ]
    assert (seven_[1]["digit"], seven_[1]["model"], seven_[1]["seen"]) == (7, "convnet", None)
    assert broken[0] == 422
    assert (one_[1]["digit"], one_[1]["model"]) == (1, "convnet")
    assert one_[1]["seen"].startswith("data:image/png")
    assert (by_softmax[1]["digit"], by_softmax[1]["model"]) == (7, "softmax")
    assert (empty[0], empty[1]["detail"]) == (400, "The file is empty: 0 bytes. Send a picture.")
    assert [request.released for request in requests] == [1] * len(requests)


async def test_other_requests_are_left_to_the_application(fast_path: FastPath, seven: bytes) -> None:
    large = encode_png(np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8))
    for request in (
        Request(b""),
        Request(large),
        Request(seven, "model=none"),
        Request(seven, "version=none"),
        Request(seven, type_="application/json"),
        Request(b"--x", type_="multipart/form-data; boundary=x"),
    ):
        assert request.submit_to(fast_path) is None
        await asyncio.sleep(0)
        assert not request.answer.done()
        assert request.released == 0


async def test_requests_to_an_engine_that_runs_in_a_thread_are_left_to_the_application(
    seven: bytes, models_dir: Path
) -> None:
    app = create_worker_app(Settings.model_validate({"models_dir": models_dir, "access_log": False}))
    async with app.router.lifespan_context(app) as state:
        while app.state.catalogue.not_ready_reasons():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        app.state.catalogue.find("convnet", None).batcher._thread = object()
        assert Request(seven).submit_to(state["fast_path"]) is None  # type: ignore[index]
        app.state.catalogue.find("convnet", None).batcher._thread = None


class FakePredictor:
    """A predictor that records its batches, and returns a prediction or an error for each picture."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.versions = [LoadedVersion(None, None), LoadedVersion(None, None)]  # type: ignore[arg-type]  # not used

    def find_version_for_inline(self, data: bytes, model: str, version: int | None) -> LoadedVersion:
        return self.versions[model == "softmax"]

    def predict_inline(self, loaded: LoadedVersion, pictures: Sequence[PendingPicture]) -> list[Prediction | Exception]:
        self.batches.append([pending.data for pending in pictures])
        if self.batches[-1] == [b"engine"]:
            raise FloatingPointError
        time.sleep(sum(0.002 for pending in pictures if pending.data.startswith(b"slow")))
        special = {b"bug": ZeroDivisionError(), b"large": ExpensivePicture()}
        return [special.get(pending.data, make_prediction()) for pending in pictures]

    async def predict_deferred(self, loaded: LoadedVersion, pending: PendingPicture) -> Prediction:
        assert pending.data == b"large"
        await asyncio.sleep(0.01)
        return make_prediction()


def make_prediction() -> Prediction:
    return Prediction(
        digit=7,
        confidence=1,
        probabilities=[0.1] * 10,
        abstained=False,
        reason=None,
        model="convnet",
        version=1,
    )


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor()


Build = Callable[..., FastPath]


@pytest.fixture
def build(predictor: FakePredictor, metrics: ServiceMetrics, log: LogCapture) -> Build:
    """Return a function that creates a fast path with the fake predictor."""
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])

    def build(**settings: object) -> FastPath:
        request_log = RequestLog(metrics, logger, access_log=True)
        return FastPath(predictor, request_log, Settings.model_validate(settings))  # type: ignore[arg-type]

    return build


async def test_requests_are_answered_in_order_in_batches_of_limited_size(
    build: Build, predictor: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.fast_path._MAX_RUN_SECONDS", 1.0)
    fast_path = build()
    requests = [Request(b"%d" % number) for number in range((MAX_BATCHES + 1) * LARGEST_BATCH + 3)]
    for request in requests:
        assert request.submit_to(fast_path) is not None
    await requests[0].answer
    assert [request.answer.done() for request in requests] == [
        number < MAX_BATCHES * LARGEST_BATCH for number in range(len(requests))
    ]
    await requests[-1].response()
    assert list(map(len, predictor.batches)) == [LARGEST_BATCH] * (MAX_BATCHES + 1) + [3]
    assert [picture for batch in predictor.batches for picture in batch] == [request.body for request in requests]
    assert [request.released for request in requests] == [1] * len(requests)


async def test_batches_are_smaller_if_pictures_take_longer(build: Build, predictor: FakePredictor) -> None:
    fast_path = build()
    requests = [Request(b"slow %d" % number) for number in range(5 * LARGEST_BATCH)]
    for request in requests:
        request.submit_to(fast_path)
    await requests[-1].response()
    assert len(predictor.batches[0]) == LARGEST_BATCH
    assert all(len(batch) <= LARGEST_BATCH // 2 for batch in predictor.batches[8:])


async def test_an_expensive_picture_does_not_delay_others(build: Build) -> None:
    fast_path = build()
    large, *others = [Request(body) for body in (b"large", b"1", b"2")]
    for request in (large, *others):
        request.submit_to(fast_path)
    for request in others:
        assert (await request.response()).status_code == 200
    assert not large.answer.done()
    assert (await large.response()).status_code == 200
    assert [request.released for request in (large, *others)] == [1, 1, 1]


async def test_a_request_of_the_next_iteration_is_in_the_same_batch(build: Build, predictor: FakePredictor) -> None:
    fast_path, first, second = build(), Request(b"1"), Request(b"2")
    first.submit_to(fast_path)
    await asyncio.sleep(0)
    second.submit_to(fast_path)
    await asyncio.gather(first.response(), second.response())
    assert predictor.batches == [[b"1", b"2"]]


async def test_each_model_version_has_its_own_batch(build: Build, predictor: FakePredictor) -> None:
    fast_path = build()
    requests = [Request(b"%d" % number, f"model={('convnet', 'softmax')[number % 2]}") for number in range(4)]
    for request in requests:
        request.submit_to(fast_path)
    for request in requests:
        await request.response()
    assert predictor.batches == [[b"0", b"2"], [b"1", b"3"]]


async def test_a_cancelled_request_is_not_predicted(build: Build, predictor: FakePredictor, log: LogCapture) -> None:
    fast_path = build()
    requests = [Request(b"%d" % number) for number in range(3)]
    cancels = [request.submit_to(fast_path) for request in requests]
    cancels[1]()  # type: ignore[misc]  # not None: it was accepted
    await requests[2].response()
    assert predictor.batches == [[b"0", b"2"]]
    assert [request.answer.done() for request in requests] == [True, False, True]
    cancels[2]()  # type: ignore[misc]  # too late: it is answered
    assert [request.released for request in requests] == [1] * 3
    assert [entry["status"] for entry in log.entries] == [499, 200, 200]


async def test_an_unexpected_error_is_answered_with_500_and_logged(
    build: Build, predictor: FakePredictor, log: LogCapture, metrics: ServiceMetrics
) -> None:
    fast_path = build()
    engine, bug, neighbour = Request(b"engine", "model=softmax"), Request(b"bug"), Request(b"neighbour")
    for request in (engine, bug, neighbour):
        request.submit_to(fast_path)
    for request in (engine, bug):
        response = await request.response()
        assert response.status_code == 500
        assert json.loads(bytes(response.body))["type"] == "urn:digitserve:problem:internal-error"
    assert (await neighbour.response()).status_code == 200
    failures = [entry["exc_info"] for entry in log.entries if entry["log_level"] == "error"]
    assert [type(unexpected_error) for unexpected_error in failures] == [FloatingPointError, ZeroDivisionError]
    lines = metrics.exposition("text/plain")[0].decode().splitlines()
    assert 'digitserve_refusals_total{reason="internal-error"} 2.0' in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines


async def test_a_body_past_the_limit_is_left_to_the_application(build: Build, predictor: FakePredictor) -> None:
    fast_path = build(max_body_bytes=1024)
    assert Request(bytes(1025)).submit_to(fast_path) is None
    assert Request(bytes(1024)).submit_to(fast_path) is not None


async def test_an_error_while_responding_does_not_stop_later_requests(build: Build) -> None:
    fast_path = build()
    broken, later = Request(b"1"), Request(b"2")
    fast_path.submit(broken.scope, b"1", lambda _: 1 / 0)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    while not errors:  # noqa: ASYNC110
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert isinstance(errors[0], ZeroDivisionError)
    later.submit_to(fast_path)
    assert (await later.response()).status_code == 200


async def test_a_request_past_its_deadline_is_not_predicted(build: Build, predictor: FakePredictor) -> None:
    request = Request(b"late")
    request.submit_to(build(deadline_seconds=1e-6))
    response = await request.response()
    assert (response.status_code, request.released, predictor.batches) == (504, 1, [])
    assert "1e-06 s" in json.loads(bytes(response.body))["detail"]


async def test_a_request_is_counted_and_logged_once(build: Build, metrics: ServiceMetrics, log: LogCapture) -> None:
    request = Request(b"1", headers={"x-request-id": "mine"})
    request.submit_to(build())
    in_progress = "digitserve_http_requests_in_progress {:.1f}".format
    assert in_progress(1) in metrics.exposition("text/plain")[0].decode()
    await request.response()
    lines = metrics.exposition("text/plain")[0].decode().splitlines()
    assert in_progress(0) in lines
    labels = 'method="POST",model="convnet",route="/predict",status="200",version="1"'
    assert f"digitserve_http_requests_total{{{labels}}} 1.0" in lines
    assert [(entry["request_id"], entry["path"], entry["status"]) for entry in log.entries] == [
        ("mine", "/predict", 200)
    ]


async def test_a_request_without_its_token_is_left_to_the_application(build: Build, predictor: FakePredictor) -> None:
    fast_path = build(predict_token="secret")
    assert Request(b"1").submit_to(fast_path) is None
    assert Request(b"2", headers={"authorization": "Bearer wrong"}).submit_to(fast_path) is None
    authorized = Request(b"3", headers={"authorization": "Bearer secret"})
    assert authorized.submit_to(fast_path) is not None
    await authorized.response()
    assert predictor.batches == [[b"3"]]


async def test_a_run_without_remaining_requests_does_nothing(build: Build, log: LogCapture) -> None:
    fast_path = build()
    cancel = Request(b"1").submit_to(fast_path)
    assert cancel is not None
    cancel()
    await asyncio.sleep(0.01)
    assert [entry["status"] for entry in log.entries] == [499]
