import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.errors import Overloaded, ServiceError
from app.observability.metrics import ServiceMetrics
from app.prediction.preprocessor import Preprocessor
from app.web.admission_control import Admission, AdmissionControl, AdmissionMiddleware
from app.web.concurrency_limit import ConcurrencyLimit

pytestmark = pytest.mark.anyio

SMALL, LARGE = 300, 100_000


@pytest.fixture
def control(metrics: ServiceMetrics) -> AdmissionControl:
    """Admit five requests, of which two may be large pictures: a third would wait too long."""
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=metrics)
    return AdmissionControl(ConcurrencyLimit(5), preprocessor.overload_error)


def request(length: int | None, path: str = "/predict", media_type: str = "image/jpeg") -> Scope:
    headers = [(b"content-type", media_type.encode())]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"method": "POST", "path": path, "headers": headers, "state": {}}


def admit(control: AdmissionControl, scope: Scope) -> Admission:
    admission = control.admit(scope)
    assert isinstance(admission, Admission)
    return admission


def refuse(control: AdmissionControl, scope: Scope) -> str:
    refusal = control.admit(scope)
    assert isinstance(refusal, ServiceError)
    return str(refusal)


async def test_the_concurrency_limit_refuses_one_more(control: AdmissionControl) -> None:
    admissions = [admit(control, request(SMALL)) for _ in range(5)]
    assert "it is answering 5 requests" in refuse(control, request(SMALL))
    for _ in range(2):  # the second call has no effect
        admissions[0].release()
    admit(control, request(SMALL))
    assert "it is answering 5 requests" in refuse(control, request(SMALL))


async def test_received_large_pictures_count_as_waiting(control: AdmissionControl) -> None:
    admissions = [admit(control, request(LARGE)) for _ in range(2)]
    for admission in admissions:
        admission.mark_received()
    assert "would wait 20 milliseconds before it is decoded" in refuse(control, request(LARGE))
    assert "would wait" in refuse(control, request(LARGE, "/explain"))
    assert "would wait" in refuse(control, request(LARGE, "/read"))
    for scope in (
        request(SMALL),
        request(None),
        request(LARGE, "/predict/batch"),
    ):  # small, of unknown length, or several pictures
        admit(control, scope)
    admissions[0].release()
    admit(control, request(LARGE))


async def test_large_pictures_that_are_being_received_do_not_count(control: AdmissionControl) -> None:
    admissions = [admit(control, request(LARGE)) for _ in range(3)]
    admissions[0].release()
    for admission in admissions[:2]:  # the first was released before
        admission.mark_received()
    admit(control, request(LARGE))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (request(SMALL), True),
        (request(LARGE), False),
        (request(None), False),
        (request(0), False),
        (request(SMALL, "/explain"), False),
        (request(SMALL, "/read"), False),
    ],
)
async def test_a_small_picture_is_recognised_by_its_head(
    control: AdmissionControl, scope: Scope, *, expected: bool
) -> None:
    assert admit(control, scope).may_use_fast_path is expected


@pytest.fixture
def gate() -> asyncio.Event:
    """Return the event that all answers wait for; it is set."""
    gate = asyncio.Event()
    gate.set()
    return gate


@pytest.fixture
def state() -> dict[str, object]:
    """Return the state of each request."""
    return {"request_id": "id"}


@pytest.fixture
def limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(3)


@pytest.fixture
async def client(
    gate: asyncio.Event, limit: ConcurrencyLimit, state: dict[str, object]
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.metrics = ServiceMetrics()
    app.state.admission_control = AdmissionControl(limit, lambda count: Overloaded("wait") if count else None)

    @app.api_route("/", methods=["GET", "POST"])
    async def answer() -> str:
        await gate.wait()
        return "done"

    @app.post("/predict")
    async def predict(request: Request) -> int:
        await request.body()
        await gate.wait()
        return int(app.state.admission_control.expensive_pictures)

    @app.post("/broken")
    async def broken() -> None:
        raise LookupError

    admission = AdmissionMiddleware(app)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await admission({**scope, "app": app, "state": {**state}}, receive, send)

    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def test_requests_past_the_limit_are_answered_with_503(client: httpx.AsyncClient, gate: asyncio.Event) -> None:
    gate.clear()
    requests = [asyncio.create_task(client.post("/")) for _ in range(5)]
    refused, waiting = await asyncio.wait(requests, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    while len(refused) < 2:
        more, waiting = await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        refused |= more
    for response in (task.result() for task in refused):
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert response.json()["type"] == "urn:digitserve:problem:overloaded"
    assert "it is answering 3 requests" in next(iter(refused)).result().json()["detail"]
    health = asyncio.create_task(client.get("/"))  # only POST requests are counted
    gate.set()
    assert (await health).status_code == 200
    assert [(await task).status_code for task in waiting] == [200, 200, 200]
    assert (await client.post("/")).status_code == 200


async def test_a_large_picture_counts_once_its_body_is_received(client: httpx.AsyncClient, gate: asyncio.Event) -> None:
    assert (await client.post("/predict", content=bytes(LARGE))).json() == 1
    gate.clear()
    first = asyncio.create_task(client.post("/predict", content=bytes(LARGE)))
    await asyncio.sleep(0.01)
    refused = await client.post("/predict", content=bytes(LARGE))
    assert (refused.status_code, refused.json()["detail"]) == (503, "wait")
    gate.set()
    assert (await first).json() == 1


async def test_a_request_that_fails_is_released(client: httpx.AsyncClient) -> None:
    for _ in range(4):
        assert (await client.post("/broken")).status_code == 500
    assert (await client.post("/")).status_code == 200


async def test_a_request_that_the_fast_path_admitted_is_not_counted_again(
    client: httpx.AsyncClient, limit: ConcurrencyLimit, state: dict[str, object]
) -> None:
    control = AdmissionControl(limit, lambda _: None)
    admissions = [admit(control, request(SMALL)) for _ in range(3)]
    state["admission"] = admissions[0]
    assert (await client.post("/")).status_code == 200
    assert limit.overload_error() is None
    limit.acquire()
    assert limit.overload_error() is not None
