"""Writes the answers to requests that are refused before the application sees them; counts and logs them."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from app.observability.request_log import RequestLog
from app.web import problems
from app.web.request_ids import common_headers, request_id_of


class Answer(NamedTuple):
    """A whole response, with the fields of a Starlette response."""

    status_code: int
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes


class Refusals:
    """Answers refused requests."""

    def __init__(self, request_log: RequestLog, routes: Iterable[BaseRoute]) -> None:
        """Take the log, and the application's routes, whose paths label the metrics."""
        self._request_log = request_log
        self._routes = {route.path: route for route in routes if isinstance(route, APIRoute)}

    def answer(self, scope: Scope, error: Exception) -> Answer:
        """Count and log a request that is refused with `error`, and return its answer."""
        started = time.perf_counter()
        scope["route"] = self._routes.get(scope["path"])
        request_id = request_id_of(scope)
        self._request_log.begin()
        response = problems.answer_to(error, scope, request_id, self._request_log.refuse)
        seconds = time.perf_counter() - started
        self._request_log.end(scope, request_id=request_id, status=response.status_code, seconds=seconds)
        headers = [*response.raw_headers, *common_headers(request_id, seconds)]
        return Answer(response.status_code, headers, bytes(response.body))
