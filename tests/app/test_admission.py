import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.admission import Admission
from app.telemetry import Telemetry

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate() -> asyncio.Event:
    """Give what every answer waits for; it is open."""
    gate = asyncio.Event()
    gate.set()
    return gate


@pytest.fixture
async def client(gate: asyncio.Event) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.telemetry = Telemetry()

    @app.api_route("/", methods=["GET", "POST"])
    async def answer() -> str:
        await gate.wait()
        return "done"

    admission = Admission(app, most_at_once=3)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await admission({**scope, "app": app, "state": {"request_id": "id"}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://service") as client:
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
