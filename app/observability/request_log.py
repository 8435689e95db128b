"""Counts and logs each request once, with its request id. Sends no responses."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from app.observability.metrics import ServiceMetrics

LOG_UNAVAILABLE_SECONDS = 1.0
"""The interval between two log entries about requests answered with 503."""
MAX_IDS_PER_LINE = 50
"""With the longest ids, a line of 50 still fits into one atomic write to a pipe."""
_SERVICE_UNAVAILABLE = 503  # looking up a member of HTTPStatus takes longer than everything else here
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """The metrics and log entries about the requests of one application.

    If a model answered a request, the route stores the model's name and version in the request's state, as
    `answered_by`.
    """

    def __init__(
        self,
        metrics: ServiceMetrics,
        log: Any,  # noqa: ANN401 - structlog's lazy proxy has no type
        *,
        access_log: bool,
        current_trace: Callable[[], str | None] | None = None,
    ) -> None:
        """Take `current_trace`, which returns the id of the current request's trace if it is exported."""
        self._metrics = metrics
        self._current_trace = current_trace
        self._log = log
        self._access_log = access_log
        self._unavailable_ids: list[str] = []  # of requests answered with 503 that are not logged yet

    def begin(self) -> None:
        """Add one request to the requests in progress; `end` removes it."""
        self._metrics.begin_request()

    def count_problem(self, name: str) -> None:
        """Count a problem that is sent to a client, by its name."""
        self._metrics.count_problem(name)

    def end(
        self,
        scope: Mapping[str, Any],
        *,
        request_id: str,
        status: int,
        seconds: float,
        unexpected_error: Exception | None = None,
    ) -> None:
        """Count a finished request and log it in one line.

        Without the access log, only server errors are logged (status 500 and above), and requests answered with 503
        share a line: at ten times the load that the service can answer, a line for each would take a sixth of the
        processor.

        Args:
            scope: the ASGI scope, with the route if one matched.
            request_id: of the request.
            status: of the response.
            seconds: from the request's start to its end.
            unexpected_error: the unexpected error that caused the response, logged with its traceback.

        """
        method, route = method_and_route(scope)
        trace_id = None if self._current_trace is None else self._current_trace()
        self._metrics.end_request(
            method, route, status, seconds, *scope["state"].get("answered_by", ()), trace_id=trace_id
        )
        if status == _SERVICE_UNAVAILABLE and not self._access_log:
            self._unavailable_ids.append(request_id)
            if len(self._unavailable_ids) == MAX_IDS_PER_LINE:
                self.log_unavailable()
        elif self._access_log or status >= 500:
            client = scope.get("client")
            write = self._log.error if unexpected_error else self._log.warning if status >= 500 else self._log.info
            write(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round(seconds * 1000, 3),
                client=client[0] if client else None,
                exc_info=unexpected_error,
            )

    def log_unavailable(self) -> None:
        """Log the ids of the requests answered with 503 since the last call, if there were any."""
        if self._unavailable_ids:
            ids, self._unavailable_ids = self._unavailable_ids, []
            self._log.warning("requests refused", status=_SERVICE_UNAVAILABLE, requests=len(ids), request_ids=ids)

    async def run(self) -> None:
        """Log the requests answered with 503 every second, and once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(LOG_UNAVAILABLE_SECONDS)
                self.log_unavailable()
        finally:
            self.log_unavailable()


def method_and_route(scope: Mapping[str, Any]) -> tuple[str, str]:
    """Return a request's method and route as metric labels. Clients cannot create new values of either."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return method, getattr(scope.get("route"), "path", "unmatched")
