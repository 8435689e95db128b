import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.admission import Admission
from app.telemetry import Telemetry

pytestmark = pytest.mark.anyio

LARGE = bytes(2000)


class Thread:
    """Where large pictures wait."""

    wait_seconds = 0.0


@pytest.fixture
def gate() -> asyncio.Event:
    """Give what every answer waits for; it is open."""
    gate = asyncio.Event()
    gate.set()
    return gate


@pytest.fixture
def thread() -> Thread:
    return Thread()


@pytest.fixture
async def client(gate: asyncio.Event, thread: Thread) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.telemetry, app.state.reader = Telemetry(), thread

    @app.api_route("/", methods=["GET", "POST"])
    async def answer() -> str:
        await gate.wait()
        return "done"

    admission = Admission(app, longest_wait_seconds=0.1, most_at_once=3)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await admission({**scope, "app": app, "state": {"request_id": "id"}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://service") as client:
        yield client


async def stream() -> AsyncIterator[bytes]:
    yield b"picture"


async def test_a_large_picture_is_refused_that_would_wait_too_long(client: httpx.AsyncClient, thread: Thread) -> None:
    assert (await client.post("/", content=LARGE)).status_code == 200
    thread.wait_seconds = 0.2
    refused = await client.post("/", content=LARGE)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:digitserve:problem:overloaded"
    assert "would wait 0.2 seconds before it is read" in refused.json()["detail"]


async def test_so_is_a_body_whose_length_nobody_knows(client: httpx.AsyncClient, thread: Thread) -> None:
    thread.wait_seconds = 0.2
    assert (await client.post("/", content=stream())).status_code == 503


async def test_what_does_not_wait_for_the_thread_is_not_refused(client: httpx.AsyncClient, thread: Thread) -> None:
    thread.wait_seconds = 0.2
    assert (await client.post("/", content=b"small")).status_code == 200
    assert (await client.get("/")).status_code == 200


async def test_only_so_many_are_answered_at_once(client: httpx.AsyncClient, gate: asyncio.Event) -> None:
    gate.clear()
    requests = [asyncio.create_task(client.post("/")) for _ in range(5)]
    refused, waiting = await asyncio.wait(requests, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    while len(refused) < 2:
        more, waiting = await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        refused |= more
    assert [task.result().status_code for task in refused] == [503, 503]
    assert "3 requests are being answered" in next(iter(refused)).result().json()["detail"]
    health = asyncio.create_task(client.get("/"))  # nobody is refused who only asks how it goes
    gate.set()
    assert (await health).status_code == 200
    assert [(await task).status_code for task in waiting] == [200, 200, 200]
    assert (await client.post("/")).status_code == 200
