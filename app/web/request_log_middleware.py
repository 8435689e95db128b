"""The outermost middleware: identifies, times and reports requests, and answers unexpected errors. Pure ASGI."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotReady
from app.web.problems import INTERNAL, error_response
from app.web.request_ids import request_id_of, response_headers

CLIENT_CLOSED_REQUEST = 499
"""The status, in logs and metrics, of a request whose client disconnected before the response. It is never sent."""


class RequestRecorder(Protocol):
    """Receives each request once."""

    def begin(self) -> None:
        """Record that a request has started."""

    def count_problem(self, name: str) -> None:
        """Count a problem that is sent to the client, by its name."""

    def end(
        self, scope: Scope, *, request_id: str, status: int, seconds: float, unexpected_error: Exception | None
    ) -> None:
        """Record that a request has ended, with its unexpected error if there was one."""


class RequestLogMiddleware:
    """Reports each request to a recorder, and its id to `trace`."""

    def __init__(self, app: ASGIApp, *, recorder: RequestRecorder, trace: Callable[[str], None] | None = None) -> None:
        self._app = app
        self._recorder = recorder
        self._trace = trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        self._recorder.begin()
        state["request_id"] = request_id = request_id_of(scope)
        if self._trace is not None:
            self._trace(request_id)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = response_headers(request_id, time.perf_counter() - started)
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        unexpected_error: Exception | None = None
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:  # the worker is stopping, and its grace period is over
            if status:
                raise
            stopping = NotReady(
                "The service is stopping and could not finish the answer in time. Try again in a second."
            )
            await error_response(stopping, scope, request_id, self._recorder.count_problem)(
                scope, receive, send_with_id
            )
        except Exception as error:
            unexpected_error = error
            if status:  # the response has started: it cannot be replaced, so the server closes the connection
                self._recorder.count_problem(INTERNAL.name)
                raise
            response = error_response(error, scope, request_id, self._recorder.count_problem)
            await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            self._recorder.end(
                scope, request_id=request_id, status=status, seconds=seconds, unexpected_error=unexpected_error
            )
