"""Goes round every request: gives it an id, times, counts and logs it, and catches what nobody else did. Pure ASGI."""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import INTERNAL, answer, problem
from app.telemetry import Telemetry

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_CLIENT_LEFT = 499  # never sent: nobody is there to read it
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestObserver:
    """The outermost layer of the application.

    A route that a model answered leaves the model's name and version in the state of the request, as `answered_by`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        log: Any,  # noqa: ANN401 - structlog's lazy proxy has no type
        access_log: bool,
        trace: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._log = log
        self._access_log = access_log
        self._trace = trace  # is told each request's method, route and id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self._telemetry.began()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                elapsed = b"total;dur=%.3f" % ((time.perf_counter() - started) * 1000)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"server-timing", elapsed),
                ]
                if self._trace is not None:  # the trace ends with the answer
                    self._trace(*_kind(scope), request_id)
            await send(message)

        failure: Exception | None = None
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = _CLIENT_LEFT
        except Exception as error:
            failure = error
            self._telemetry.refused(INTERNAL.name)
            if status:  # the answer had begun: all that is left is to break it off
                raise
            await _answer_internal_error(scope, receive, send_with_id)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - started, failure)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float, failure: Exception | None) -> None:
        """Count the request, and log it in one line; what the service itself failed at is logged in any case."""
        method, route = _kind(scope)
        self._telemetry.answered(method, route, status, seconds, *scope["state"].get("answered_by", ()))
        if self._access_log or status >= 500:
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


def _kind(scope: Scope) -> tuple[str, str]:
    """Name a request's method and route, of which there are only so many whatever is sent."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return method, getattr(scope.get("route"), "path", "unmatched")


def _request_id(scope: Scope) -> str:
    """Take the sender's `X-Request-ID` if it could not harm a log, or else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)


async def _answer_internal_error(scope: Scope, receive: Receive, send: Send) -> None:
    detail = "An unexpected error. It has been logged with this request's id; please report it with that id."
    found = problem(INTERNAL, detail, instance=scope["path"], request_id=scope["state"]["request_id"])
    await answer(found)(scope, receive, send)
