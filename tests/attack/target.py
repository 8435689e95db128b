"""A service under attack, with witnesses beside it, and what each bomb did to it. Judges nothing."""

import socket
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.attack.bombs import Bomb
from tests.attack.servers import Memory, MemoryWatch, Server, service
from tests.attack.wire import ask, read_answer
from tests.attack.witnesses import Window, Witnesses, predict, seven

DEADLINE_SECONDS = 1.0
UPLOAD_SECONDS = 3.0
SETTINGS = {"DEADLINE_SECONDS": str(DEADLINE_SECONDS), "UPLOAD_SECONDS": str(UPLOAD_SECONDS)}
"""Shorter than the defaults, so that what is waited for comes soon."""
PATIENCE_SECONDS = 15.0
_SETTLE_SECONDS = 0.06
_LARGE_MB = 280.0


@dataclass(frozen=True)
class Outcome:
    """What a bomb, or several at once, did."""

    name: str
    size: int
    """Of one, in bytes."""
    statuses: Counter[int]
    """How often each status was answered; 0 where nothing was."""
    seconds: float
    """Until the last answer was there."""
    window: Window
    memory: Memory
    held_up: bool
    """Whether a good large picture was not read soon after."""


@dataclass
class Target:
    """One service with one worker; it is started anew when it no longer answers."""

    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    workers: int = 1

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._folder.cleanup()

    def _start(self) -> None:
        with ExitStack() as stack:
            self.server: Server = stack.enter_context(
                service(Path(self._folder.name), workers=self.workers, **self.settings)
            )
            self.witnesses = stack.enter_context(Witnesses(self.server))
            self.memory = stack.enter_context(MemoryWatch(self.server))
            self._stack = stack.pop_all()
        time.sleep(0.5)
        self.idle = self.witnesses.window()

    def restart(self) -> None:
        """End the service, and start it anew."""
        self._stack.close()
        self._start()

    def refresh(self) -> None:
        """Start anew what a former attack has left slow or large, so that it is not laid to the next one."""
        self.memory.window()
        if not self.reads_large_pictures() or self.memory.window().worker > _LARGE_MB:
            self.restart()

    def throw(self, bombs: Sequence[Bomb]) -> Outcome:
        """Send all `bombs`, which are of one kind, at once; wait for the answers, and start anew what is stuck."""
        self.witnesses.window()
        self.memory.window()
        started = time.monotonic()
        with ThreadPoolExecutor(len(bombs)) as threads:
            statuses = Counter(threads.map(self._send, bombs))
        seconds = time.monotonic() - started
        time.sleep(_SETTLE_SECONDS)
        held_up = not self.reads_large_pictures()
        window, memory = self.witnesses.window(), self.memory.window()
        if held_up:
            self.restart()
        return Outcome(bombs[0].name, len(bombs[0].body), statuses, seconds, window, memory, held_up)

    def _send(self, bomb: Bomb) -> int:
        return send(self.server.address, bomb.bytes())

    def reads_large_pictures(self) -> bool:
        """Tell whether a good large picture is read within the deadline and a little more."""
        end = time.monotonic() + 2 * DEADLINE_SECONDS
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(self.server.address, 2 * DEADLINE_SECONDS) as connection:
                connection.settimeout(2 * DEADLINE_SECONDS)
                if ask(connection, predict(seven(1500)))[0] == 200:
                    return True
            time.sleep(0.1)
        return False


def send(address: tuple[str, int], request: bytes) -> int:
    """Send a request over a connection of its own; return the status of the answer, 0 if there is none."""
    try:
        with socket.create_connection(address, PATIENCE_SECONDS) as connection:
            with suppress(ConnectionError):  # it has been answered before all was sent
                connection.sendall(request)
            return read_answer(connection)[0]
    except OSError:
        return 0
