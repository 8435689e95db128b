"""Creates, counts and logs the responses to requests that are refused before they reach the application.

Under overload, most of these responses have the same content except for the request id. So the content is cached.
"""

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from uuid import uuid4

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from app.observability.request_log import RequestLog
from app.web import problems
from app.web.request_ids import request_id_of, response_headers

_ID_PLACEHOLDER = uuid4().hex  # no client can have sent it as a part of a path
_MAX_CACHED_PATH_LENGTH = 100
"""Responses are cached by path, and clients choose the path."""


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

    def create_response(self, scope: Scope, error: Exception) -> RawResponse:
        """Count and log a request that is refused with `error`, and return the response."""
        started = time.perf_counter()
        path = scope["path"]
        scope["route"] = self._routes.get(path)
        request_id = request_id_of(scope)
        problem_type = problems.problem_type_of(error)
        create = _cached_template if len(path) <= _MAX_CACHED_PATH_LENGTH else _create_template
        template = create(problem_type, str(error), path)
        self._request_log.begin()
        self._request_log.count_problem(problem_type.name)
        seconds = time.perf_counter() - started
        self._request_log.end(scope, request_id=request_id, status=template.status_code, seconds=seconds)
        body = request_id.encode().join(template.body_parts)
        length = b"content-length", b"%d" % len(body)
        headers = [*template.headers, length, *response_headers(request_id, seconds)]
        return RawResponse(template.status_code, headers, body)


class _Template(NamedTuple):
    """The response to all requests for one path that are refused with the same error."""

    status_code: int
    headers: list[tuple[bytes, bytes]]
    """All but Content-Length and those of each request."""
    body_parts: list[bytes]
    """What stands before and after the id of the request; one part if the format has no id."""


def _create_template(problem_type: problems.ProblemType, detail: str, path: str) -> _Template:
    problem = problems.create_problem(problem_type, detail, instance=path, request_id=_ID_PLACEHOLDER)
    response = problems.problem_response(problem)
    headers = [header for header in response.raw_headers if header[0] != b"content-length"]
    return _Template(response.status_code, headers, bytes(response.body).split(_ID_PLACEHOLDER.encode()))


_cached_template = lru_cache(maxsize=64)(_create_template)
