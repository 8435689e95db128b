"""The express way by itself, and beside the usual one: both must say the same."""

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

from app.engine import LARGEST_BATCH
from app.express import COHORTS, Express
from app.journal import Journal
from app.main import create_app
from app.predictor import Question
from app.schemas import Prediction
from app.settings import Settings
from app.telemetry import Telemetry
from app.versions import ServedVersion
from imaging import NotBrief, encode_png
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
    encoded = httpx.Request("POST", "http://service", files={"file": ("digit.png", picture)})
    return encoded.read(), encoded.headers["content-type"]


def draw_one() -> bytes:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[15:85, 45:55] = 255
    return encode_png(pixels)


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


@pytest.mark.parametrize("picture", [b"\x89PNG\r\n\x1a\nbroken", b"no picture", b"\xff\xd8\xffbroken"])
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


async def test_those_that_came_together_are_each_answered_for_themselves(express: Express, seven: bytes) -> None:
    one, (nothing, form) = draw_one(), a_form(b"")
    requests = [
        Request(seven),
        Request(b"\x89PNG\r\n\x1a\nbroken"),
        Request(one, "seen=true"),
        Request(seven, "model=softmax"),
        Request(nothing, type_=form),
    ]
    for request in requests:
        assert request.take(express) is not None
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
    assert [request.left for request in requests] == [1] * len(requests)


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


class Together:
    """A predictor that notes what it is asked together, and answers every question; what is a bug is in its place."""

    def __init__(self) -> None:
        self.cohorts: list[list[bytes]] = []
        self.versions = [ServedVersion(None, None), ServedVersion(None, None)]  # type: ignore[arg-type]  # not looked into

    def find_brief(self, data: bytes, model: str, version: int | None) -> ServedVersion:
        return self.versions[model == "softmax"]

    def predict_now(self, served: ServedVersion, questions: Sequence[Question]) -> list[Prediction | Exception]:
        self.cohorts.append([question.picture for question in questions])
        if self.cohorts[-1] == [b"engine"]:
            raise FloatingPointError
        time.sleep(sum(0.002 for question in questions if question.picture.startswith(b"slow")))
        special = {b"bug": ZeroDivisionError(), b"large": NotBrief()}
        return [special.get(question.picture, a_prediction()) for question in questions]

    async def predict_large(self, served: ServedVersion, question: Question) -> Prediction:
        assert question.picture == b"large"
        await asyncio.sleep(0.01)
        return a_prediction()


def a_prediction() -> Prediction:
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
def together() -> Together:
    return Together()


Build = Callable[..., Express]


@pytest.fixture
def build(together: Together, telemetry: Telemetry, log: LogCapture) -> Build:
    """Give what builds an express way before the predictor that takes notes."""
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])

    def build(**settings: object) -> Express:
        journal = Journal(telemetry, logger, access_log=True)
        return Express(together, journal, Settings.model_validate(settings))  # type: ignore[arg-type]

    return build


async def test_so_many_are_answered_together_and_the_rest_follow_in_their_order(
    build: Build, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.express._TURN_SECONDS", 1.0)
    express = build()
    requests = [Request(b"%d" % number) for number in range((COHORTS + 1) * LARGEST_BATCH + 3)]
    for request in requests:
        assert request.take(express) is not None
    await requests[0].answer
    assert [request.answer.done() for request in requests] == [
        number < COHORTS * LARGEST_BATCH for number in range(len(requests))
    ]
    await requests[-1].response()
    assert list(map(len, together.cohorts)) == [LARGEST_BATCH] * (COHORTS + 1) + [3]
    assert [picture for cohort in together.cohorts for picture in cohort] == [request.body for request in requests]
    assert [request.left for request in requests] == [1] * len(requests)


async def test_pictures_that_take_longer_are_fewer_in_a_turn(build: Build, together: Together) -> None:
    express = build()
    requests = [Request(b"slow %d" % number) for number in range(5 * LARGEST_BATCH)]
    for request in requests:
        request.take(express)
    await requests[-1].response()
    assert len(together.cohorts[0]) == LARGEST_BATCH
    assert all(len(cohort) <= LARGEST_BATCH // 2 for cohort in together.cohorts[8:])


async def test_a_picture_that_is_not_brief_after_all_holds_up_nobody(build: Build) -> None:
    express = build()
    large, *others = [Request(body) for body in (b"large", b"1", b"2")]
    for request in (large, *others):
        request.take(express)
    for request in others:
        assert (await request.response()).status_code == 200
    assert not large.answer.done()
    assert (await large.response()).status_code == 200
    assert [request.left for request in (large, *others)] == [1, 1, 1]


async def test_what_comes_in_a_turn_of_the_loop_later_is_answered_with_the_first(
    build: Build, together: Together
) -> None:
    express, first, second = build(), Request(b"1"), Request(b"2")
    first.take(express)
    await asyncio.sleep(0)
    second.take(express)
    await asyncio.gather(first.response(), second.response())
    assert together.cohorts == [[b"1", b"2"]]


async def test_each_version_is_asked_for_itself(build: Build, together: Together) -> None:
    express = build()
    requests = [Request(b"%d" % number, f"model={('convnet', 'softmax')[number % 2]}") for number in range(4)]
    for request in requests:
        request.take(express)
    for request in requests:
        await request.response()
    assert together.cohorts == [[b"0", b"2"], [b"1", b"3"]]


async def test_who_left_harms_nobody(build: Build, together: Together, log: LogCapture) -> None:
    express = build()
    requests = [Request(b"%d" % number) for number in range(3)]
    leave = [request.take(express) for request in requests]
    leave[1]()  # type: ignore[misc]  # it was taken
    await requests[2].response()
    assert together.cohorts == [[b"0", b"2"]]
    assert [request.answer.done() for request in requests] == [True, False, True]
    leave[2]()  # type: ignore[misc]  # too late: the answer is on its way
    assert [request.left for request in requests] == [1] * 3
    assert [entry["status"] for entry in log.entries] == [499, 200, 200]


async def test_a_failure_is_told_and_logged(
    build: Build, together: Together, log: LogCapture, telemetry: Telemetry
) -> None:
    express = build()
    engine, bug, neighbour = Request(b"engine", "model=softmax"), Request(b"bug"), Request(b"neighbour")
    for request in (engine, bug, neighbour):
        request.take(express)
    for request in (engine, bug):
        response = await request.response()
        assert response.status_code == 500
        assert json.loads(bytes(response.body))["type"] == "urn:digitserve:problem:internal-error"
    assert (await neighbour.response()).status_code == 200
    failures = [entry["exc_info"] for entry in log.entries if entry["log_level"] == "error"]
    assert [type(failure) for failure in failures] == [FloatingPointError, ZeroDivisionError]
    lines = telemetry.exposition("text/plain")[0].decode().splitlines()
    assert 'digitserve_refusals_total{reason="internal-error"} 2.0' in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines


async def test_what_is_larger_than_allowed_goes_the_usual_way(build: Build, together: Together) -> None:
    express = build(max_body_bytes=1024)
    assert Request(bytes(1025)).take(express) is None
    assert Request(bytes(1024)).take(express) is not None


async def test_a_fault_in_answering_holds_up_nobody_who_comes_later(build: Build) -> None:
    express = build()
    broken, later = Request(b"1"), Request(b"2")
    express.take(broken.scope, b"1", lambda _: 1 / 0)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    while not told:  # noqa: ASYNC110
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert isinstance(told[0], ZeroDivisionError)
    later.take(express)
    assert (await later.response()).status_code == 200


async def test_who_has_waited_past_the_deadline_is_not_asked_for(build: Build, together: Together) -> None:
    request = Request(b"late")
    request.take(build(deadline_seconds=1e-6))
    response = await request.response()
    assert (response.status_code, request.left, together.cohorts) == (504, 1, [])
    assert "1e-06 s" in json.loads(bytes(response.body))["detail"]


async def test_a_request_is_counted_and_logged_once(build: Build, telemetry: Telemetry, log: LogCapture) -> None:
    request = Request(b"1", headers={"x-request-id": "mine"})
    request.take(build())
    in_progress = "digitserve_http_requests_in_progress {:.1f}".format
    assert in_progress(1) in telemetry.exposition("text/plain")[0].decode()
    await request.response()
    lines = telemetry.exposition("text/plain")[0].decode().splitlines()
    assert in_progress(0) in lines
    labels = 'method="POST",model="convnet",route="/predict",status="200",version="1"'
    assert f"digitserve_http_requests_total{{{labels}}} 1.0" in lines
    assert [(entry["request_id"], entry["path"], entry["status"]) for entry in log.entries] == [
        ("mine", "/predict", 200)
    ]


async def test_without_its_token_a_request_goes_the_usual_way(build: Build, together: Together) -> None:
    express = build(predict_token="secret")
    assert Request(b"1").take(express) is None
    assert Request(b"2", headers={"authorization": "Bearer wrong"}).take(express) is None
    welcome = Request(b"3", headers={"authorization": "Bearer secret"})
    assert welcome.take(express) is not None
    await welcome.response()
    assert together.cohorts == [[b"3"]]


@pytest.mark.parametrize(("allowed", "taken"), [("", True), ("https://digits.example", False), ("*", False)])
async def test_what_a_page_of_another_origin_may_read_goes_the_usual_way(
    express: Express, seven: bytes, allowed: str, *, taken: bool
) -> None:
    settings = Settings.model_validate({"host": "0.0.0.0", "allowed_origins": allowed})
    other = Express(express._predictor, express._journal, settings)
    request = Request(seven, headers={"origin": "https://digits.example"})
    assert (other.take(request.scope, request.body, request.answer.set_result) is not None) is taken
    plain = Request(seven)
    assert other.take(plain.scope, plain.body, plain.answer.set_result) is not None
    if taken:
        await request.response()
    await plain.response()


async def test_that_all_have_left_is_no_fault(build: Build, log: LogCapture) -> None:
    express = build()
    forget = Request(b"1").take(express)
    assert forget is not None
    forget()
    await asyncio.sleep(0.01)
    assert [entry["status"] for entry in log.entries] == [499]
