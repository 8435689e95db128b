"""Refuses at the door what could not be answered soon. Knows nothing of what a request asks for. Pure ASGI.

A worker has one core, so a new request waits for as much processor time as those before it still need. That is
estimated from what requests took of late, whatever they were; a bound on their number alone would be too low for
small pictures or too high for large ones.
"""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.errors import Overloaded

_WINDOW_SECONDS = 0.05
_NEWEST_SHARE = 0.5


class Admission:
    """Lets requests with a body through while the wait before them is short, and all others always."""

    def __init__(self, app: ASGIApp, *, longest_wait_seconds: float) -> None:
        self._app = app
        self._longest_wait_seconds = longest_wait_seconds
        self._meter = Meter()
        self._admitted = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        wait = self._admitted * self._meter.seconds
        if wait > self._longest_wait_seconds:
            message = f"The service is busy: an answer would take more than {wait:.1f} seconds. Try again in a second."
            await problems.refuse(Overloaded(message), scope, receive, send)
            return
        self._admitted += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._admitted -= 1
            self._meter.finished()


class Meter:
    """Measures how much processor time a request takes: a moving mean over windows of time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Of processor time, for one request; 0 until the first window has passed."""
        self._since = time.perf_counter()
        self._used = time.process_time()
        self._finished = 0

    def finished(self) -> None:
        """Note that a request is done."""
        self._finished += 1
        now = time.perf_counter()
        if now - self._since < _WINDOW_SECONDS:
            return
        used = time.process_time()
        newest = (used - self._used) / self._finished
        self.seconds += (newest - self.seconds) * (_NEWEST_SHARE if self.seconds else 1)
        self._since, self._used, self._finished = now, used, 0
