"""Limits the time of tasks, such as answering a request. Does not know what the tasks do.

All timeouts of a deadline share one timer, which takes one microsecond for each timeout. `asyncio.timeout` starts a
timer for each timeout, which takes 3 to 5 microseconds, and half a kilobyte more memory until the timeout ends.
"""

import asyncio
from types import TracebackType
from typing import Self

from app.errors import DeadlineExceeded


class Deadline:
    """The same time limit for many tasks of one event loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeouts: dict[_Timeout, None] = {}  # in the order of their starts, so the first expires first
        self._timer: asyncio.TimerHandle | None = None

    def enforced(self) -> "_Timeout":
        """Return a context manager that limits the time of the current task inside the context.

        Raises:
            DeadlineExceeded: from the context, if the time limit was exceeded. The task is cancelled there.

        """
        return _Timeout(self)

    def add(self, timeout: "_Timeout") -> None:
        """Cancel a timeout's task when its time is over, unless it is discarded before."""
        self._timeouts[timeout] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._expire)

    def discard(self, timeout: "_Timeout") -> None:
        """Remove a timeout, if it has not expired."""
        self._timeouts.pop(timeout, None)

    def _expire(self) -> None:
        """Cancel the tasks of all expired timeouts, and start the timer for the next timeout."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._timeouts:
            oldest = next(iter(self._timeouts))
            if oldest.started + self.seconds > loop.time():
                self._timer = loop.call_at(oldest.started + self.seconds, self._expire)
                return
            del self._timeouts[oldest]
            oldest.cancel()


class _Timeout:
    """The context manager of one task."""

    __slots__ = ("_cancelling", "_deadline", "_has_expired", "_task", "started")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            message = "A deadline needs a running task. Enter its context in a coroutine that runs in a task."
            raise RuntimeError(message)
        self._task = task
        self._cancelling = task.cancelling()
        self._has_expired = False
        self.started = asyncio.get_running_loop().time()
        self._deadline.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadline.discard(self)
        # A cancellation by someone else takes precedence, as in `asyncio.timeout`.
        if self._has_expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise DeadlineExceeded(self._deadline.seconds) from error

    def cancel(self) -> None:
        """Cancel the task, because its time is over."""
        self._has_expired = True
        self._task.cancel()
