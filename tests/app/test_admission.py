import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.admission import Admission, Room
from app.telemetry import Telemetry

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate() -> asyncio.Event:
    """Give what every answer waits for; it is open."""
    gate = asyncio.Event()
    gate.set()
    return gate


@pytest.fixture
def room() -> Room:
    return Room(3)


@pytest.fixture
def state() -> dict[str, object]:
    """Give what the server knows of each request."""
    return {"request_id": "id"}


@pytest.fixture
async def client(gate: asyncio.Event, room: Room, state: dict[str, object]) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.telemetry = Telemetry()

    @app.api_route("/", methods=["GET", "POST"])
    async def answer() -> str:
        await gate.wait()
        return "done"

    @app.post("/broken")
    async def broken() -> None:
        raise LookupError

    admission = Admission(app, room=room)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await admission({**scope, "app": app, "state": {**state}}, receive, send)

    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def test_only_so_many_are_answered_at_once(client: httpx.AsyncClient, gate: asyncio.Event) -> None:
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
    health = asyncio.create_task(client.get("/"))  # nobody is refused who only asks how it goes
    gate.set()
    assert (await health).status_code == 200
    assert [(await task).status_code for task in waiting] == [200, 200, 200]
    assert (await client.post("/")).status_code == 200


def test_a_single_request_is_named_in_the_singular() -> None:
    room = Room(most_at_once=1)
    room.take()
    assert "it is answering one request." in str(room.refusal())


async def test_who_fails_leaves_too(client: httpx.AsyncClient) -> None:
    for _ in range(4):
        assert (await client.post("/broken")).status_code == 500
    assert (await client.post("/")).status_code == 200


async def test_who_was_let_in_before_is_not_counted_again(
    client: httpx.AsyncClient, room: Room, state: dict[str, object]
) -> None:
    for _ in range(3):
        room.take()
    state["leave"] = room.leave
    assert (await client.post("/")).status_code == 200
    assert room.refusal() is None
    room.take()
    assert room.refusal() is not None
