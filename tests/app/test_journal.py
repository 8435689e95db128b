import structlog
from structlog.testing import LogCapture

from app.journal import Journal, kind_of, request_id_of
from app.telemetry import Telemetry


def test_what_the_service_failed_at_is_logged_in_any_case() -> None:
    log = LogCapture()
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])
    journal = Journal(Telemetry(), logger, access_log=False)
    scope = {"method": "POST", "path": "/predict", "client": ("127.0.0.1", 5), "state": {}}
    for status, failure in ((200, None), (404, None), (503, None), (500, LookupError())):
        journal.begin()
        journal.end(scope, request_id="id", status=status, seconds=0.0015, failure=failure)
    assert [(entry["log_level"], entry["status"]) for entry in log.entries] == [("warning", 503), ("error", 500)]
    assert log.entries[0] | {"exc_info": None} == {
        "event": "request",
        "log_level": "warning",
        "request_id": "id",
        "method": "POST",
        "path": "/predict",
        "status": 503,
        "milliseconds": 1.5,
        "client": "127.0.0.1",
        "exc_info": None,
    }


def test_there_are_only_so_many_kinds_of_request() -> None:
    assert kind_of({"method": "BREW", "path": "/a"}) == ("other", "unmatched")
    assert kind_of({"method": "GET", "path": "/b"}) == ("GET", "unmatched")


def test_a_request_has_an_id_of_its_own_unless_the_sender_gave_one() -> None:
    assert request_id_of({"headers": [(b"x-request-id", b"abc-1")]}) == "abc-1"
    first, second = [request_id_of({"headers": []}) for _ in range(2)]
    assert first != second
