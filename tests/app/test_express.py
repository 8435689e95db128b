"""The express way by itself, and beside the usual one: both must say the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import structlog
from starlette.responses import Response
from starlette.types import Scope
from structlog.testing import LogCapture

from app.express import UNDER_WAY, Express
from app.guard import Tokens
from app.journal import Journal
from app.main import create_app
from app.predictor import Begun
from app.schemas import Prediction
from app.settings import Settings
from app.telemetry import Telemetry
from app.versions import ServedVersion
from imaging import Reading, encode_png
from tests.conftest import MODELS, newest

pytestmark = pytest.mark.anyio


class Request:
    """A request, what is answered, and whether it has left the room."""

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
            "state": {"leave": self._leave},
        }
        self.body = body
        self.left = 0
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def _leave(self) -> None:
        self.left += 1

    def take(self, express: Express) -> Callable[[], object] | None:
        return express.take(self.scope, self.body, self.answer.set_result)

    async def response(self) -> Response:
        return await asyncio.wait_for(self.answer, 10)


@pytest.fixture(scope="module")
async def express(anyio_backend: str) -> AsyncIterator[Express]:
    """Give the express way of an application with the published models."""
    app = create_app(Settings.model_validate({"models_dir": MODELS, "access_log": False}))
    async with app.router.lifespan_context(app) as state:
        while app.state.repository.missing():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        yield state["express"]  # type: ignore[index]


def a_form(picture: bytes) -> tuple[bytes, str]:
    encoded = httpx.Request("POST", "http://service", files={"file": picture})
    return encoded.read(), encoded.headers["content-type"]


@pytest.mark.parametrize("query", ["", "model=softmax", "seen=true", f"version={newest('convnet').name}&model=convnet"])
@pytest.mark.parametrize("as_form", [False, True])
async def test_both_ways_say_the_same(
    client: httpx.AsyncClient, express: Express, seven: bytes, query: str, *, as_form: bool
) -> None:
    body, type_ = a_form(seven) if as_form else (seven, "image/png")
    request = Request(body, query, type_, {"x-request-id": "mine"})
    usual = await client.post(
        f"/predict?{query}", content=body, headers={"content-type": type_, "x-request-id": "mine"}
    )
    assert request.take(express) is not None
    response = await request.response()
    assert (response.status_code, response.body) == (usual.status_code, usual.content) != (404, usual.content)
    assert set(response.headers) == set(usual.headers)
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["server-timing"].startswith("total;dur=")
    assert request.left == 1


@pytest.mark.parametrize("picture", [b"\x89PNG\r\n\x1a\nbroken", b"no picture", b"GIF89a"])
async def test_both_ways_say_the_same_of_what_cannot_be_read(
    client: httpx.AsyncClient, express: Express, picture: bytes
) -> None:
    request = Request(picture, headers={"x-request-id": "mine"})
    usual = await client.post(
        "/predict", content=picture, headers={"content-type": "image/png", "x-request-id": "mine"}
    )
    assert request.take(express) is not None
    assert not request.answer.done()  # the connection is still reading
    response = await request.response()
    assert (response.status_code, response.body) == (usual.status_code, usual.content)
    assert set(response.headers) == set(usual.headers)
    assert response.status_code in {415, 422}
    assert request.left == 1


async def test_what_is_out_of_the_ordinary_goes_the_usual_way(express: Express, seven: bytes) -> None:
    large = encode_png(np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8))
    for request in (
        Request(b""),
        Request(large),
        Request(seven, "model=none"),
        Request(seven, "version=none"),
        Request(seven, type_="application/json"),
        Request(b"--x", type_="multipart/form-data; boundary=x"),
    ):
        assert request.take(express) is None
        await asyncio.sleep(0)
        assert not request.answer.done()
        assert request.left == 0


async def test_an_engine_that_is_not_done_at_once_goes_the_usual_way(seven: bytes, models_dir: Path) -> None:
    app = create_app(Settings.model_validate({"models_dir": models_dir, "access_log": False}))
    async with app.router.lifespan_context(app) as state:
        while app.state.repository.missing():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        app.state.repository.find("convnet", None).batcher._thread = object()
        assert Request(seven).take(state["express"]) is None  # type: ignore[index]
        app.state.repository.find("convnet", None).batcher._thread = None


class Slow:
    """A predictor that is done when a test says so."""

    def __init__(self) -> None:
        self.begun: dict[bytes, asyncio.Future[Any]] = {}

    def find_brief(self, data: bytes, model: str, version: int | None) -> ServedVersion:
        return ServedVersion(None, None)  # type: ignore[arg-type]  # nobody looks into it

    def begin(self, served: ServedVersion, data: bytes) -> Begun:
        if data == b"bug":
            raise ZeroDivisionError
        self.begun[data] = asyncio.get_running_loop().create_future()
        return Begun(served, Reading(np.zeros((28, 28), np.uint8), None), self.begun[data])

    def finish(self, begun: Begun, *, seen: bool) -> Prediction:
        begun.scores.result()
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
def slow() -> Slow:
    return Slow()


Build = Callable[..., Express]


@pytest.fixture
def build(slow: Slow, telemetry: Telemetry, log: LogCapture) -> Build:
    """Give what builds an express way before the slow predictor."""
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])

    def build(*, deadline_seconds: float = 10, **settings: object) -> Express:
        journal = Journal(telemetry, logger, access_log=True)
        tokens = Tokens(Settings.model_validate(settings))
        return Express(slow, journal, tokens, default_model="convnet", deadline_seconds=deadline_seconds)  # type: ignore[arg-type]

    return build


async def test_so_many_are_under_way_and_the_rest_follow_in_their_order(build: Build, slow: Slow) -> None:
    express = build()
    requests = [Request(b"%d" % number) for number in range(UNDER_WAY + 3)]
    for request in requests:
        assert request.take(express) is not None
    assert list(slow.begun) == [request.body for request in requests[:UNDER_WAY]]
    for request in requests[:2]:
        slow.begun[request.body].set_result(None)
    assert (await requests[1].response()).status_code == 200
    assert list(slow.begun) == [request.body for request in requests[: UNDER_WAY + 2]]
    for future in list(slow.begun.values())[2:]:
        future.set_result(None)
    await requests[-2].response()
    slow.begun[requests[-1].body].set_result(None)
    assert (await requests[-1].response()).status_code == 200
    assert [request.left for request in requests] == [1] * len(requests)


async def test_who_left_harms_nobody(build: Build, slow: Slow, log: LogCapture) -> None:
    express = build()
    requests = [Request(b"%d" % number) for number in range(UNDER_WAY + 2)]
    forget = [request.take(express) for request in requests]
    for place in (0, UNDER_WAY):
        leave = forget[place]
        assert leave is not None
        leave()
    for future in list(slow.begun.values())[1:]:
        future.set_result(None)
    await requests[1].response()
    assert slow.begun[b"0"].cancelled()
    assert b"%d" % UNDER_WAY not in slow.begun
    slow.begun[requests[-1].body].set_result(None)
    await requests[-1].response()
    assert [request.answer.done() for request in requests] == [
        number not in (0, UNDER_WAY) for number in range(len(requests))
    ]
    assert [request.left for request in requests] == [1] * len(requests)
    assert sorted(entry["status"] for entry in log.entries) == [200] * UNDER_WAY + [499, 499]


async def test_a_failure_is_told_and_logged(build: Build, slow: Slow, log: LogCapture, telemetry: Telemetry) -> None:
    express = build()
    broken, bug, neighbour = Request(b"broken"), Request(b"bug"), Request(b"neighbour")
    for request in (broken, bug, neighbour):
        request.take(express)
    slow.begun[b"broken"].set_exception(FloatingPointError("engine"))
    slow.begun[b"neighbour"].set_result(None)
    for request in (broken, bug):
        response = await request.response()
        assert response.status_code == 500
        assert json.loads(bytes(response.body))["type"] == "urn:digitserve:problem:internal-error"
        assert "engine" not in json.loads(bytes(response.body))["detail"]
    assert (await neighbour.response()).status_code == 200
    failures = [entry["exc_info"] for entry in log.entries if entry["log_level"] == "error"]
    assert sorted(type(failure).__name__ for failure in failures) == ["FloatingPointError", "ZeroDivisionError"]
    lines = telemetry.exposition("text/plain")[0].decode().splitlines()
    assert 'digitserve_refusals_total{reason="internal-error"} 2.0' in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines


async def test_who_has_waited_past_the_deadline_is_not_begun(build: Build, slow: Slow) -> None:
    request = Request(b"late")
    request.take(build(deadline_seconds=0))
    response = await request.response()
    assert (response.status_code, request.left, slow.begun) == (504, 1, {})
    assert "0 s" in json.loads(bytes(response.body))["detail"]


async def test_a_request_is_counted_and_logged_once(
    build: Build, slow: Slow, telemetry: Telemetry, log: LogCapture
) -> None:
    request = Request(b"1", headers={"x-request-id": "mine"})
    request.take(build())
    in_progress = "digitserve_http_requests_in_progress {:.1f}".format
    assert in_progress(1) in telemetry.exposition("text/plain")[0].decode()
    slow.begun[b"1"].set_result(None)
    await request.response()
    await asyncio.sleep(0)
    lines = telemetry.exposition("text/plain")[0].decode().splitlines()
    assert in_progress(0) in lines
    labels = 'method="POST",model="convnet",route="/predict",status="200",version="1"'
    assert f"digitserve_http_requests_total{{{labels}}} 1.0" in lines
    assert [(entry["request_id"], entry["path"], entry["status"]) for entry in log.entries] == [
        ("mine", "/predict", 200)
    ]


async def test_without_its_token_a_request_goes_the_usual_way(build: Build, slow: Slow) -> None:
    express = build(predict_token="secret")
    assert Request(b"1").take(express) is None
    assert Request(b"2", headers={"authorization": "Bearer wrong"}).take(express) is None
    assert Request(b"3", headers={"authorization": "Bearer secret"}).take(express) is not None
    assert list(slow.begun) == [b"3"]
