import asyncio
from select import PIPE_BUF

import orjson
import pytest
import structlog
from structlog.testing import LogCapture

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog, kind_of

pytestmark = pytest.mark.anyio


def answer(request_log: RequestLog, status: int, failure: Exception | None = None) -> None:
    request_log.begin()
    scope = {"method": "POST", "path": "/predict", "client": ("127.0.0.1", 5), "state": {}}
    request_log.end(scope, request_id="id", status=status, seconds=0.0015, failure=failure)


def request_log_to(log: LogCapture, *, access_log: bool = False) -> RequestLog:
    return RequestLog(
        ServiceMetrics(), structlog.wrap_logger(structlog.PrintLogger(), processors=[log]), access_log=access_log
    )


def test_what_the_service_failed_at_is_logged_in_any_case() -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    for status, failure in ((200, None), (404, None), (504, None), (500, LookupError())):
        answer(request_log, status, failure)
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


async def test_who_was_turned_away_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    monkeypatch.setattr("app.observability.request_log.TELL_SECONDS", 0.01)
    running = asyncio.create_task(request_log.run())
    for _ in range(3):
        answer(request_log, 503)
    assert log.entries == []
    await asyncio.sleep(0.05)
    line = {"event": "turned away", "log_level": "warning", "status": 503, "requests": 3, "request_ids": ["id"] * 3}
    assert log.entries == [line]
    answer(request_log, 503)
    running.cancel()
    await asyncio.wait([running])
    assert [entry["requests"] for entry in log.entries] == [3, 1]  # the last of them at the end


def test_a_line_that_is_full_is_written_at_once() -> None:
    log = LogCapture()
    request_log = request_log_to(log)
    for _ in range(120):
        answer(request_log, 503)
    assert [entry["requests"] for entry in log.entries] == [50, 50]
    longest = {**log.entries[0], "request_ids": ["i" * 64] * 50, "timestamp": "2026-11-26T00:00:00.000000Z"}
    assert len(orjson.dumps(longest)) < PIPE_BUF


def test_an_access_log_has_a_line_for_each_of_them() -> None:
    log = LogCapture()
    request_log = request_log_to(log, access_log=True)
    for _ in range(3):
        answer(request_log, 503)
    request_log.tell()
    assert [(entry["event"], entry["status"]) for entry in log.entries] == [("request", 503)] * 3


def test_there_are_only_so_many_kinds_of_request() -> None:
    assert kind_of({"method": "BREW", "path": "/a"}) == ("other", "unmatched")
    assert kind_of({"method": "GET", "path": "/b"}) == ("GET", "unmatched")
