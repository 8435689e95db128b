import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI, Request

from app.admission import Admission, Meter
from app.telemetry import Telemetry

pytestmark = pytest.mark.anyio


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def service(gate: asyncio.Event, longest_wait_seconds: float) -> httpx.AsyncClient:
    """Make a service whose answers take 30 ms of processor time, and then wait for the gate."""
    app = FastAPI()
    app.state.telemetry = Telemetry()

    @app.api_route("/", methods=["GET", "POST"])
    async def answer(request: Request) -> str:
        work(0.03)
        await gate.wait()
        return "done"

    @app.middleware("http")
    async def name(request: Request, call_next):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - FastAPI's own shape
        request.state.request_id = "id"
        return await call_next(request)

    app.add_middleware(Admission, longest_wait_seconds=longest_wait_seconds)
    app.user_middleware.reverse()  # the request gets its id first
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")


async def test_a_meter_gives_the_processor_time_of_one_request() -> None:
    meter = Meter()
    assert meter.seconds == 0
    for _ in range(6):
        work(0.02)
        meter.finished()
    assert meter.seconds == pytest.approx(0.02, rel=0.5)


async def test_time_without_work_does_not_count() -> None:
    meter = Meter()
    await asyncio.sleep(0.1)
    meter.finished()
    assert meter.seconds < 0.02


async def test_past_the_longest_wait_a_request_is_refused_and_served_again_later() -> None:
    gate = asyncio.Event()
    async with service(gate, longest_wait_seconds=0.1) as client:
        gate.set()
        for _ in range(3):  # by now it is known what a request takes
            assert (await client.post("/")).status_code == 200
        gate.clear()
        waiting = [asyncio.create_task(client.post("/")) for _ in range(8)]
        refused = [task for task in waiting if task in (await asyncio.wait(waiting, timeout=1))[0]]
        assert 2 <= len(refused) <= 6
        for response in [await task for task in refused]:
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert response.json()["type"] == "urn:digitserve:problem:overloaded"
        health = asyncio.create_task(client.get("/"))  # nobody is refused who only asks how it goes
        gate.set()
        assert (await health).status_code == 200
        assert sorted({(await task).status_code for task in waiting}) == [200, 503]
        assert (await client.post("/")).status_code == 200


async def test_a_lone_request_is_always_served() -> None:
    gate = asyncio.Event()
    gate.set()
    async with service(gate, longest_wait_seconds=0.001) as client:
        for _ in range(4):
            assert (await client.post("/")).status_code == 200
