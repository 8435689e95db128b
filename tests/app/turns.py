"""How long the event loop is held by one step of a coroutine."""

import time
from collections.abc import Coroutine, Generator
from typing import Any


class Steps:
    """Runs a coroutine, and notes the longest time of the processor between two of its pauses."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.count = 0
        self.longest = 0.0

    def __await__(self) -> Generator[Any, None, Any]:
        running = self._coroutine.__await__()
        while True:
            started = time.thread_time()  # which does not count what other processes do meanwhile
            try:
                pause = running.send(None)
            except StopIteration as end:
                return end.value
            finally:
                self.count += 1
                self.longest = max(self.longest, time.thread_time() - started)
            yield pause
