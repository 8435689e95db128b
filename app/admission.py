"""Refuses at the door what would be too much at once. Knows nothing of what a request asks for. Pure ASGI.

Small requests are done at each turn of the event loop, so that how long one waits is a matter of how many there are.
What waits for large pictures to be read is the matter of `reader.py`.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.errors import Overloaded


class Admission:
    """Lets so many requests with a body through at once, and all others always."""

    def __init__(self, app: ASGIApp, *, most_at_once: int) -> None:
        self._app = app
        self._most_at_once = most_at_once
        self._admitted = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self._admitted >= self._most_at_once:
            message = f"The service is busy: it is answering {self._admitted:,} requests. Try again in a second."
            await problems.refuse(Overloaded(message), scope, receive, send)
            return
        self._admitted += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._admitted -= 1
