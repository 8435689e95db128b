"""Small requests that have come in whole and wait to be begun, the oldest first. Knows no HTTP and no connection.

A request that is under way takes ten kilobytes until it is answered, one that waits takes its own bytes. And where all
that came is begun at once, who comes first is a matter of chance: some waited for three seconds under ten times the
load, and a second in line.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from app.admission import Room
from app.engine import LARGEST_BATCH

UNDER_WAY = 12 * LARGEST_BATCH
"""How many are under way before others wait. With 128 some 8 % fewer are answered under ten times the load than with as
many as come, as what is done for many in a row finds the processor's caches filled; with those, memory grows by a third
more than with this."""


class Line:
    """Those that wait in one worker. They are in the room, as far as that is concerned."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._under_way = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._called = False

    @property
    def is_moving(self) -> bool:
        """Whether the next one has to wait, and there is room to."""
        return (bool(self._waiting) or self._under_way >= UNDER_WAY) and self._room.refusal() is None

    def wait(self, begin: Callable[[], None]) -> None:
        """Wait; `begin` is called once it is this one's turn."""
        self._room.take()
        self._waiting.append(begin)

    def enter(self) -> None:
        """Count one as under way."""
        self._under_way += 1

    def leave(self) -> None:
        """Count one as answered, and have the next begin at the loop's next turn."""
        self._under_way -= 1
        if self._waiting and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        self._called = False
        while self._waiting and self._under_way < UNDER_WAY:
            self._room.leave()
            self._waiting.popleft()()
