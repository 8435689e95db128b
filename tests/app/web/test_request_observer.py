import asyncio
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from structlog.testing import LogCapture

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.web.request_observer import RequestObserver

pytestmark = pytest.mark.anyio


def client(log: LogCapture, *, access_log: bool = True, metrics: ServiceMetrics | None = None) -> httpx.AsyncClient:
    app = FastAPI()

    @app.get("/fine/{number}")
    async def fine(number: int, request: Request) -> str:
        return str(request.state.request_id)

    @app.get("/read")
    async def read(request: Request) -> None:
        request.scope["state"]["answered_by"] = "convnet", 3

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    @app.get("/broken")
    async def broken() -> None:
        message = "a secret"
        raise LookupError(message)

    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])
    app.add_middleware(
        RequestObserver, request_log=RequestLog(metrics or ServiceMetrics(), logger, access_log=access_log)
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://service"
    )


@pytest.fixture
def log() -> LogCapture:
    return LogCapture()


def lines(log: LogCapture) -> list[Any]:
    return [(entry["log_level"], entry["path"], entry["status"]) for entry in log.entries]


async def test_every_answer_has_an_id_of_its_own_that_the_application_knows(log: LogCapture) -> None:
    async with client(log) as service:
        first, second = [await service.get("/fine/1") for _ in range(2)]
    assert first.headers["x-request-id"] == first.json()
    assert first.json() != second.json()
    assert [entry["request_id"] for entry in log.entries] == [first.json(), second.json()]


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2_3", True), ("a b", False), ('"},{"', False), ("x" * 65, False)])
async def test_the_senders_id_is_kept_if_it_is_sane(log: LogCapture, sent: str, *, kept: bool) -> None:
    async with client(log) as service:
        response = await service.get("/fine/1", headers={"X-Request-ID": sent})
    assert (response.headers["x-request-id"] == sent) is kept


async def test_what_nobody_caught_is_a_problem_that_tells_nothing_and_is_logged_once(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        response = await service.get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "secret" not in response.text
    assert lines(log) == [("error", "/broken", 500)]
    assert isinstance(log.entries[0]["exc_info"], LookupError)


async def test_who_is_cut_off_as_the_service_stops_is_told(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        asking = asyncio.create_task(service.get("/slow"))
        await asyncio.sleep(0.05)
        asking.cancel()  # as uvicorn does with the tasks that are left
        response = await asking
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "is stopping" in response.json()["detail"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


async def test_each_request_is_one_line(log: LogCapture) -> None:
    async with client(log) as service:
        await service.get("/fine/1?x=1")
        await service.get("/none")
    assert lines(log) == [("info", "/fine/1", 200), ("info", "/none", 404)]
    assert log.entries[0]["milliseconds"] > 0


async def test_the_access_log_can_be_left_out(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        await service.get("/fine/1")
    assert log.entries == []


async def test_each_request_is_counted_with_its_route_and_the_version_that_answered_it(log: LogCapture) -> None:
    metrics = ServiceMetrics()
    async with client(log, metrics=metrics) as service:
        for path in ("/fine/1", "/fine/2", "/read", "/broken", "/none"):
            await service.get(path)
    lines = metrics.exposition("text/plain")[0].decode().splitlines()
    for route, status, model, version, count in (
        ("/fine/{number}", 200, "", "", 2),
        ("/read", 200, "convnet", "3", 1),
        ("/broken", 500, "", "", 1),
        ("unmatched", 404, "", "", 1),
    ):
        labels = f'method="GET",model="{model}",route="{route}",status="{status}",version="{version}"'
        assert f"digitserve_http_requests_total{{{labels}}} {count}.0" in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines
