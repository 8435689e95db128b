"""Counts and logs every request, once, under its id. Answers none."""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.observability.metrics import ServiceMetrics

TELL_SECONDS = 1.0
MOST_IN_A_LINE = 50  # the longest ids then make a line that a pipe takes whole
_BUSY = 503  # a member of HTTPStatus takes longer to look up than all else here
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """What is told of the requests of one application.

    A route that a model answered leaves the model's name and version in the state of the request, as `answered_by`.
    """

    def __init__(
        self,
        metrics: ServiceMetrics,
        log: Any,  # noqa: ANN401 - structlog's lazy proxy has no type
        *,
        access_log: bool,
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._access_log = access_log
        self._turned_away: list[str] = []  # the ids of requests

    def begin(self) -> None:
        """Count one request in; `end` counts it out."""
        self._metrics.began()

    def refuse(self, reason: str) -> None:
        """Count why one was refused."""
        self._metrics.refused(reason)

    def end(
        self,
        scope: Mapping[str, Any],
        *,
        request_id: str,
        status: int,
        seconds: float,
        failure: Exception | None = None,
    ) -> None:
        """Count one request, and log it in one line; what the service itself failed at is logged in any case.

        Without an access log, those that came at a bad time (503) are named together: under ten times the load, a line
        for each would take a sixth of the processor.
        """
        method, route = kind_of(scope)
        self._metrics.answered(method, route, status, seconds, *scope["state"].get("answered_by", ()))
        if status == _BUSY and not self._access_log:
            self._turned_away.append(request_id)
            if len(self._turned_away) == MOST_IN_A_LINE:
                self.tell()
        elif self._access_log or status >= 500:
            client = scope.get("client")
            write = self._log.error if failure else self._log.warning if status >= 500 else self._log.info
            write(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round(seconds * 1000, 3),
                client=client[0] if client else None,
                exc_info=failure,
            )

    def tell(self) -> None:
        """Log which requests were turned away since the last time, if any were."""
        if self._turned_away:
            ids, self._turned_away = self._turned_away, []
            self._log.warning("turned away", status=_BUSY, requests=len(ids), request_ids=ids)

    async def run(self) -> None:
        """Tell of those that were turned away every second, and once more when this is cancelled."""
        try:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                self.tell()
        finally:
            self.tell()


def kind_of(scope: Mapping[str, Any]) -> tuple[str, str]:
    """Name a request's method and route, of which there are only so many whatever is sent."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return method, getattr(scope.get("route"), "path", "unmatched")
