"""The longest time that an answer may take. Knows nothing of what takes it.

One timer serves all that is under way. `asyncio.timeout` arms one for each, which takes 3 to 5 microseconds where this
takes one, of the hundred of a small request, and half a kilobyte more while it waits.
"""

import asyncio
from types import TracebackType
from typing import Self

from app.errors import DeadlineExceeded


class Deadline:
    """The same longest time for many tasks of one event loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeouts: dict[_Timeout, None] = {}  # in the order in which they started, and so will expire
        self._timer: asyncio.TimerHandle | None = None

    def enforced(self) -> "_Timeout":
        """Give the context in which the current task has so much time; past it the task is interrupted there.

        Raises:
            DeadlineExceeded: from the context, when that has happened.

        """
        return _Timeout(self)

    def add(self, timeout: "_Timeout") -> None:
        """Watch over a timeout from now on."""
        self._timeouts[timeout] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._expire)

    def discard(self, timeout: "_Timeout") -> None:
        """Watch over it no more."""
        self._timeouts.pop(timeout, None)

    def _expire(self) -> None:
        """Interrupt what has had its time, and come again when the next will have had it."""
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
    """One task's time, as a context."""

    __slots__ = ("_cancelling", "_deadline", "_is_cancelled", "_task", "started")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            message = "A deadline is kept by a task, and there is none here."
            raise RuntimeError(message)
        self._task = task
        self._cancelling = task.cancelling()
        self._is_cancelled = False
        self.started = asyncio.get_running_loop().time()
        self._deadline.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadline.discard(self)
        # Somebody else may have cancelled the task as well: that goes before, as with `asyncio.timeout`.
        if self._is_cancelled and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise DeadlineExceeded(self._deadline.seconds) from error

    def cancel(self) -> None:
        """End the task's time."""
        self._is_cancelled = True
        self._task.cancel()
