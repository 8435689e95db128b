"""Creates, counts and logs the responses to requests that are refused before they reach the application."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from app.observability.request_log import RequestLog
from app.web import problems
from app.web.request_ids import request_id_of, response_headers


class RawResponse(NamedTuple):
    """A complete response, with the attributes of a Starlette response."""

    status_code: int
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes


class Refusals:
    """Creates the responses to refused requests."""

    def __init__(self, request_log: RequestLog, routes: Iterable[BaseRoute]) -> None:
        """Take the request log, and the application's routes, whose paths are label values of the metrics."""
        self._request_log = request_log
        self._routes = {route.path: route for route in routes if isinstance(route, APIRoute)}

    def respond(self, scope: Scope, error: Exception) -> RawResponse:
        """Count and log a request that is refused with `error`, and return the response."""
        started = time.perf_counter()
        scope["route"] = self._routes.get(scope["path"])
        request_id = request_id_of(scope)
        self._request_log.begin()
        response = problems.error_response(error, scope, request_id, self._request_log.count_refusal)
        seconds = time.perf_counter() - started
        self._request_log.end(scope, request_id=request_id, status=response.status_code, seconds=seconds)
        headers = [*response.raw_headers, *response_headers(request_id, seconds)]
        return RawResponse(response.status_code, headers, bytes(response.body))
