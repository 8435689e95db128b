"""Lets requests in or refuses them, by their heads alone. Knows what HTTP says there, and no server.

A request that is let in costs a task and all layers of the application, even if all that these find out is that it
comes at a bad time. At ten times the load that is what the processor is busy with. Here a refusal costs a tenth of it.
"""

import time
from collections.abc import Iterable
from functools import lru_cache

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


class Door:
    """Knows who is in from the moment of being let in: the application learns of it a turn of the loop later."""

    def __init__(self, room: Room, reader: Reader, journal: Journal) -> None:
        self._room = room
        self._reader = reader
        self._journal = journal
        self._large = 0

    def enter(self, scope: Scope) -> Answer | None:
        """Let a POST in, of which `admission` will say when it leaves; or else count and log it, and give its answer.

        Args:
            scope: the request's, with all that its head says. Its state is told if it is a small prediction of a known
                length: `brief`.

        """
        length, media_type = _announced(scope["headers"])
        large = scope["path"] in _ONE_PICTURE and not may_be_brief(length, media_type)
        refusal = self._room.refusal()
        if refusal is None and large:
            refusal = self._reader.refusal(expected=self._large)
        if refusal is not None:
            return self._refuse(scope, refusal)
        self._room.take()
        if large:
            self._large += 1
        scope["state"]["brief"] = scope["path"] == "/predict" and length > 0 and not large
        scope["state"]["leave"] = self._leave_large if large else self._room.leave
        return None

    def _leave_large(self) -> None:
        self._large -= 1
        self._room.leave()

    def _refuse(self, scope: Scope, error: Overloaded) -> Answer:
        started = time.perf_counter()
        self._journal.begin()
        request_id = request_id_of(scope)
        path = scope["path"]
        refusal = (_kept_refusal if len(path) <= _LONGEST_PATH_KEPT else _refusal)(str(error), path)
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
