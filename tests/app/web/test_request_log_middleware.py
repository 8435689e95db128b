import asyncio
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from structlog.testing import LogCapture

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.web.request_log_middleware import RequestLogMiddleware

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
        RequestLogMiddleware, recorder=RequestLog(metrics or ServiceMetrics(), logger, access_log=access_log)
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://service"
    )


@pytest.fixture
def log() -> LogCapture:
    return LogCapture()


def lines(log: LogCapture) -> list[Any]:
    return [(entry["log_level"], entry["path"], entry["status"]) for entry in log.entries]


async def test_each_request_has_its_own_id_that_the_application_sees(log: LogCapture) -> None:
    async with client(log) as service:
        first, second = [await service.get("/fine/1") for _ in range(2)]
    assert first.headers["x-request-id"] == first.json()
    assert first.json() != second.json()
    assert [entry["request_id"] for entry in log.entries] == [first.json(), second.json()]


@pytest.mark.parametrize(
    ("sent", "is_used"), [("abc-1.2_3", True), ("a b", False), ('"},{"', False), ("x" * 65, False)]
)
async def test_the_clients_request_id_is_used_if_it_is_safe(log: LogCapture, sent: str, *, is_used: bool) -> None:
    async with client(log) as service:
        response = await service.get("/fine/1", headers={"X-Request-ID": sent})
    assert (response.headers["x-request-id"] == sent) is is_used


async def test_an_unexpected_error_is_logged_once_and_its_message_is_not_sent(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        response = await service.get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "secret" not in response.text
    assert lines(log) == [("error", "/broken", 500)]
    assert isinstance(log.entries[0]["exc_info"], LookupError)


async def test_a_request_cancelled_by_the_shutdown_is_answered_with_503(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        request = asyncio.create_task(service.get("/slow"))
        await asyncio.sleep(0.05)
        request.cancel()  # as uvicorn does at the end of the grace period
        response = await request
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "is stopping" in response.json()["detail"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


async def test_the_access_log_has_one_line_for_each_request(log: LogCapture) -> None:
    async with client(log) as service:
        await service.get("/fine/1?x=1")
        await service.get("/none")
    assert lines(log) == [("info", "/fine/1", 200), ("info", "/none", 404)]
    assert log.entries[0]["milliseconds"] > 0


async def test_successful_requests_are_not_logged_without_the_access_log(log: LogCapture) -> None:
    async with client(log, access_log=False) as service:
        await service.get("/fine/1")
    assert log.entries == []


async def test_requests_are_counted_by_route_and_model_version(log: LogCapture) -> None:
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
