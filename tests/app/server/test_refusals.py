import json

import pytest
import structlog
from starlette.types import Scope
from structlog.testing import LogCapture

from app.errors import Overloaded, RequestTooSlow
from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.routes import predict
from app.server.refusals import Refusals, _cached_template
from app.web import problems

ERROR = Overloaded("The service is busy. Try again in a second.")


@pytest.fixture
def refusals(metrics: ServiceMetrics, log: LogCapture) -> Refusals:
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])
    return Refusals(RequestLog(metrics, logger, access_log=True), predict.router.routes)


def request(path: str = "/predict") -> Scope:
    return {"method": "POST", "path": path, "headers": [(b"x-request-id", b"mine")], "state": {}}


def test_the_response_is_the_problem_with_the_common_headers(refusals: Refusals) -> None:
    answer = refusals.create_response(request(), ERROR)
    problem = problems.create_problem(
        problems.problem_type_of(ERROR), str(ERROR), instance="/predict", request_id="mine"
    )
    written = problems.problem_response(problem)
    assert (answer.status_code, answer.body) == (503, written.body)
    headers = dict(answer.raw_headers)
    assert headers.pop(b"server-timing").startswith(b"total;dur=")
    assert headers == {**dict(written.raw_headers), b"x-request-id": b"mine"}


def test_the_response_has_the_format_of_the_tensor_protocols_under_their_paths(refusals: Refusals) -> None:
    answer = refusals.create_response(request("/v2/models/convnet/infer"), ERROR)
    assert json.loads(answer.body) == {"error": str(ERROR)}


def test_a_cached_response_has_the_id_and_the_path_of_its_request(refusals: Refusals) -> None:
    for path in ("/predict", '/predict"\\é{}%s', "/" + "x" * 100_000):
        for request_id in ("one", "another"):
            scope = request(path) | {"headers": [(b"x-request-id", request_id.encode())]}
            body = json.loads(refusals.create_response(scope, ERROR).body)
            assert (body["instance"], body["request_id"]) == (path, request_id)


def test_a_response_for_a_long_path_is_not_cached(refusals: Refusals) -> None:
    before = _cached_template.cache_info()
    refusals.create_response(request("/" + "x" * 100_000), ERROR)
    assert _cached_template.cache_info() == before


def test_a_refusal_is_counted_and_logged_once(refusals: Refusals, metrics: ServiceMetrics, log: LogCapture) -> None:
    refusals.create_response(request(), ERROR)
    lines = metrics.exposition("text/plain")[0].decode().splitlines()
    assert 'digitserve_refusals_total{reason="overloaded"} 1.0' in lines
    labels = 'method="POST",model="",route="/predict",status="503",version=""'
    assert f"digitserve_http_requests_total{{{labels}}} 1.0" in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines
    assert [(entry["log_level"], entry["status"], entry["request_id"]) for entry in log.entries] == [
        ("warning", 503, "mine")
    ]


def test_a_slow_request_is_answered_with_408(refusals: Refusals, log: LogCapture) -> None:
    answer = refusals.create_response(request(), RequestTooSlow(60))
    assert answer.status_code == 408
    assert "not received completely within 60 seconds" in json.loads(answer.body)["detail"]
    assert [(entry["status"], entry["request_id"]) for entry in log.entries] == [(408, "mine")]
