"""Goes round every request: gives it an id, times it, tells the journal, catches what nobody else did. Pure ASGI."""

import asyncio
import time
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotReady
from app.journal import Journal, kind_of, request_id_of
from app.problems import INTERNAL, answer_to

CLIENT_LEFT = 499  # never sent: nobody is there to read it


class RequestObserver:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, journal: Journal, trace: Callable[[str, str, str], None] | None = None) -> None:
        self._app = app
        self._journal = journal
        self._trace = trace  # is told each request's method, route and id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        self._journal.begin()
        state["request_id"] = request_id = request_id_of(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *marks(request_id, time.perf_counter() - started)]
                if self._trace is not None:  # the trace ends with the answer
                    self._trace(*kind_of(scope), request_id)
            await send(message)

        failure: Exception | None = None
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except asyncio.CancelledError:  # the worker stops, and has waited for long enough
            if status:
                raise
            stopping = NotReady("The service is stopping, and this took too long. Try again in a second.")
            await answer_to(stopping, scope, request_id, self._journal.refuse)(scope, receive, send_with_id)
        except Exception as error:
            failure = error
            if status:  # the answer had begun: all that is left is to break it off
                self._journal.refuse(INTERNAL.name)
                raise
            response = answer_to(error, scope, request_id, self._journal.refuse)
            await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            self._journal.end(scope, request_id=request_id, status=status, seconds=seconds, failure=failure)


def marks(request_id: str, seconds: float) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers that every answer bears: its id, and how long it took."""
    return (b"x-request-id", request_id.encode()), (b"server-timing", b"total;dur=%.3f" % (seconds * 1000))
