import asyncio
from select import PIPE_BUF

import orjson
import pytest
import structlog
from structlog.testing import LogCapture

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog, method_and_route

pytestmark = pytest.mark.anyio


def log_request(request_log: RequestLog, status: int, unexpected_error: Exception | None = None) -> None:
    request_log.begin()
    scope = {"method": "POST", "path": "/predict", "client": ("127.0.0.1", 5), "state": {}}
    request_log.end(scope, request_id="id", status=status, seconds=0.0015, unexpected_error=unexpected_error)


def request_log_to(log: LogCapture, *, access_log: bool = False) -> RequestLog:
    return RequestLog(
        ServiceMetrics(), structlog.wrap_logger(structlog.PrintLogger(), processors=[log]), access_log=access_log
    )


def test_server_errors_are_logged_without_the_access_log() -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    for status, unexpected_error in ((200, None), (404, None), (504, None), (500, LookupError())):
        log_request(request_log, status, unexpected_error)
    assert [(entry["log_level"], entry["status"]) for entry in log.entries] == [("warning", 504), ("error", 500)]
    assert log.entries[0] | {"exc_info": None} == {
        "event": "request",
        "log_level": "warning",
        "request_id": "id",
        "method": "POST",
        "path": "/predict",
        "status": 504,
        "milliseconds": 1.5,
        "client": "127.0.0.1",
        "exc_info": None,
    }


async def test_refused_requests_share_one_line_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    monkeypatch.setattr("app.observability.request_log.LOG_UNAVAILABLE_SECONDS", 0.01)
    running = asyncio.create_task(request_log.run())
    for _ in range(3):
        log_request(request_log, 503)
    assert log.entries == []
    await asyncio.sleep(0.05)
    line = {
        "event": "requests refused",
        "log_level": "warning",
        "status": 503,
        "requests": 3,
        "request_ids": ["id"] * 3,
    }
    assert log.entries == [line]
    log_request(request_log, 503)
    running.cancel()
    await asyncio.wait([running])
    assert [entry["requests"] for entry in log.entries] == [3, 1]  # the last one when the task is cancelled


def test_a_full_line_of_refused_requests_is_logged_at_once() -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    for _ in range(120):
        log_request(request_log, 503)
    assert [entry["requests"] for entry in log.entries] == [50, 50]
    longest = {**log.entries[0], "request_ids": ["i" * 64] * 50, "timestamp": "2026-11-26T00:00:00.000000Z"}
    assert len(orjson.dumps(longest)) < PIPE_BUF


def test_the_access_log_has_a_line_for_each_refused_request() -> None:
    log = LogCapture()
    request_log = request_log_to(log, access_log=True)
    for _ in range(3):
        log_request(request_log, 503)
    request_log.log_unavailable()
    assert [(entry["event"], entry["status"]) for entry in log.entries] == [("request", 503)] * 3


def test_unknown_methods_and_routes_share_one_label_value() -> None:
    assert method_and_route({"method": "BREW", "path": "/a"}) == ("other", "unmatched")
    assert method_and_route({"method": "GET", "path": "/b"}) == ("GET", "unmatched")
