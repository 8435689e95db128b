"""Refuses at the door what could not be answered soon. Knows nothing of what a request asks for. Pure ASGI.

Two things can be behind. Large pictures wait for one thread, for as long as those before them take to read. Everything
else is done at each turn of the event loop, so that all that counts is how many requests there are.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.errors import Overloaded
from app.reader import BRIEF_BYTES, Reader


class Admission:
    """Lets requests with a body through while the wait before them is short, and all others always."""

    def __init__(self, app: ASGIApp, *, longest_wait_seconds: float, most_at_once: int) -> None:
        self._app = app
        self._longest_wait_seconds = longest_wait_seconds
        self._most_at_once = most_at_once
        self._admitted = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if why := self._why_not(scope):
            refusal = Overloaded(f"The service is busy: {why}. Try again in a second.")
            await problems.refuse(refusal, scope, receive, send)
            return
        self._admitted += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._admitted -= 1

    def _why_not(self, scope: Scope) -> str | None:
        if self._admitted >= self._most_at_once:
            return f"{self._admitted:,} requests are being answered"
        reader: Reader = scope["app"].state.reader
        if reader.wait_seconds > self._longest_wait_seconds and _length(scope) > BRIEF_BYTES:
            return f"a picture would wait {reader.wait_seconds:.1f} seconds before it is read"
        return None


def _length(scope: Scope) -> float:
    """Give the announced bytes of the body; a body of which nobody knows the end counts as large."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return float("inf")
