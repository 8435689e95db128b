"""Refuses at the door what would be too much at once. Knows nothing of what a request asks for. Pure ASGI.

Small requests are done at each turn of the event loop, so that how long one waits is a matter of how many there are.
What waits for large pictures to be read is the matter of `reader.py`.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.errors import Overloaded


class Room:
    """How many requests are being answered, and how many may be at once."""

    def __init__(self, most_at_once: int) -> None:
        self._most_at_once = most_at_once
        self._taken = 0

    def take(self) -> None:
        """Let one in; `leave` lets it out."""
        self._taken += 1

    def leave(self) -> None:
        """Let one out."""
        self._taken -= 1

    def refusal(self) -> Overloaded | None:
        """Say why there is no room for one more, if there is none."""
        if self._taken < self._most_at_once:
            return None
        return Overloaded(f"The service is busy: it is answering {_count(self._taken)}. Try again in a second.")


def _count(requests: int) -> str:
    return "one request" if requests == 1 else f"{requests:,} requests"


class Admission:
    """Lets requests with a body through while there is room, and all others always.

    A request that has been let in before has in its state, as `leave`, whom to tell when it is over.
    """

    def __init__(self, app: ASGIApp, *, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        leave: Callable[[], None] | None = scope["state"].get("leave")
        if leave is None:
            if refusal := self._room.refusal():
                await problems.refuse(refusal, scope, receive, send)
                return
            self._room.take()
            leave = self._room.leave
        try:
            await self._app(scope, receive, send)
        finally:
            leave()
