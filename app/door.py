"""Lets requests in or refuses them, by their heads alone. Knows what HTTP says there, and no server.

A request that is let in costs a task and all layers of the application, even if all that these find out is that it
comes at a bad time. At ten times the load that is what the processor is busy with. Here a refusal costs a tenth of it.
"""

import time
from collections.abc import Iterable
from functools import lru_cache

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

from app.admission import Room
from app.errors import Overloaded
from app.journal import Journal, request_id_of
from app.reader import Reader
from app.refusal import Answer, Refusal
from imaging import may_be_brief

_ONE_PICTURE = frozenset({"/predict", "/explain"})
"""Where all of a body is one picture, so that its length says something of that picture."""

_LONGEST_PATH_KEPT = 100
"""In characters. A refusal is kept for others on its path, but a path is whatever a client sends."""


class _Upload:
    """A large picture that was let in. It may wait for others from when it has come in whole until it leaves."""

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._counts = self._gone = False

    def arrive(self) -> None:
        """Note that it has come in whole."""
        if not self._gone:
            self._counts = True
            self._door.large += 1

    def leave(self) -> None:
        """Note that it has been answered, or will not be."""
        self._gone = True
        self._door.large -= self._counts
        self._door.room.leave()


class Door:
    """Knows who is in from the moment of being let in: the application learns of it a turn of the loop later."""

    def __init__(self, room: Room, reader: Reader, journal: Journal, *, routes: Iterable[BaseRoute] = ()) -> None:
        """Stand before the application, of whose `routes` those that take pictures are to be named in the journal."""
        self._routes = {route.path: route for route in routes if isinstance(route, APIRoute)}
        self.room = room
        self._reader = reader
        self._journal = journal
        self.large = 0  # pictures that have come in whole and are not answered

    def enter(self, scope: Scope) -> Answer | None:
        """Let a POST in, of which `admission` will say when it leaves; or else count and log it, and give its answer.

        Args:
            scope: the request's, with all that its head says. Its state is told if it is a small prediction of a known
                length, `brief`; whom to tell when it leaves, `leave`; and, of some, when it has come in whole,
                `arrive`.

        """
        length, media_type = _announced(scope["headers"])
        large = scope["path"] in _ONE_PICTURE and not may_be_brief(length, media_type)
        refusal = self.room.refusal()
        if refusal is None and large:
            refusal = self._reader.refusal(expected=self.large)
        if refusal is not None:
            path = scope["path"]
            keep = _kept_refusal if len(path) <= _LONGEST_PATH_KEPT else _refusal
            return self._send_away(scope, keep(str(refusal), path))
        self.room.take()
        state = scope["state"]
        state["brief"] = scope["path"] == "/predict" and length > 0 and not large
        if large:
            upload = _Upload(self)
            state["leave"], state["arrive"] = upload.leave, upload.arrive
        else:
            state["leave"] = self.room.leave
        return None

    def give_up(self, scope: Scope, error: Exception) -> Answer:
        """Let one out that was let in and has not come in whole; count and log it, and give its answer."""
        scope["state"]["leave"]()
        return self._send_away(scope, Refusal(error, scope["path"]))

    def _send_away(self, scope: Scope, refusal: Refusal) -> Answer:
        started = time.perf_counter()
        scope["route"] = self._routes.get(scope["path"])
        self._journal.begin()
        request_id = request_id_of(scope)
        self._journal.refuse(refusal.reason)
        seconds = time.perf_counter() - started
        self._journal.end(scope, request_id=request_id, status=refusal.status, seconds=seconds)
        return refusal.answer(request_id, seconds)


def _refusal(why: str, path: str) -> Refusal:
    return Refusal(Overloaded(why), path)


_kept_refusal = lru_cache(maxsize=64)(_refusal)


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Find the length of the body, 0 if it is not said, and its type."""
    length, media_type = 0, ""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b"content-type":
            media_type = value.decode("latin-1")
    return length, media_type
