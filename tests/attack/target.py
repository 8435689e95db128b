"""A service under attack with witnesses, and the effects of each attack. Knows no limits."""

import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.attack.bombs import Bomb
from tests.attack.servers import Memory, MemoryWatch, Server, service
from tests.attack.wire import ask, read_answer
from tests.attack.witnesses import Window, Witnesses, predict, seven

DEADLINE_SECONDS = 1.0
UPLOAD_SECONDS = 3.0
SETTINGS = {"DEADLINE_SECONDS": str(DEADLINE_SECONDS), "UPLOAD_SECONDS": str(UPLOAD_SECONDS)}
"""Timeouts shorter than the defaults, to shorten the tests."""
PATIENCE_SECONDS = 15.0
_SETTLE_SECONDS = 0.06
_LARGE_MB = 280.0


@dataclass(frozen=True)
class Outcome:
    """The effects of an attack."""

    name: str
    seen: str
    """What the attacker observed."""
    as_expected: bool
    """Whether this is the expected behaviour."""
    seconds: float
    """The duration of the attack."""
    window: Window
    memory: Memory
    held_up: bool
    """Whether a valid large picture was not answered soon after the attack."""


class Target:
    """A service with one worker, which is restarted when it no longer answers."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._folder.cleanup()

    def _start(self) -> None:
        with ExitStack() as stack:
            self.server: Server = stack.enter_context(service(Path(self._folder.name), SETTINGS))
            self.witnesses = stack.enter_context(Witnesses(self.server))
            self.memory = stack.enter_context(MemoryWatch(self.server))
            self._stack = stack.pop_all()
        time.sleep(0.5)
        self.idle = self.witnesses.window()

    def restart(self) -> None:
        """Restart the service."""
        self._stack.close()
        self._start()

    def throw(self, name: str, bombs: Sequence[Bomb]) -> Outcome:
        """Send all `bombs` at once, and wait for the answers."""

        def send_all(server: Server) -> tuple[str, bool]:
            with ThreadPoolExecutor(len(bombs)) as threads:
                statuses = list(threads.map(lambda bomb: send(server.address, bomb.bytes()), bombs))
            expected = all(status in bomb.statuses for bomb, status in zip(bombs, statuses, strict=True))
            counts = Counter(statuses).items()
            return ", ".join(f"{count} x {status}" if count > 1 else str(status) for status, count in counts), expected

        return self.observe(name, send_all)

    def observe(self, name: str, attack: Callable[[Server], tuple[str, bool]]) -> Outcome:
        """Run an attack, and restart the service if it is stuck after it."""
        self.witnesses.window()
        self.memory.window()
        started = time.monotonic()
        seen, as_expected = attack(self.server)
        seconds = time.monotonic() - started
        time.sleep(_SETTLE_SECONDS)
        window, memory = self.witnesses.window(), self.memory.window()
        held_up = not self.reads_large_pictures()
        if held_up or memory.worker > _LARGE_MB:  # so that the next attack begins with a new service
            self.restart()
        return Outcome(name, seen, as_expected, seconds, window, memory, held_up)

    def reads_large_pictures(self) -> bool:
        """Tell whether a valid large picture is answered within the deadline and a tolerance."""
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
            with suppress(ConnectionError):  # the server answered before the whole request was sent
                connection.sendall(request)
            return read_answer(connection)[0]
    except OSError:
        return 0
