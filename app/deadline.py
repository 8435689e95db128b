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
        self._under_way: dict[_Stint, None] = {}  # in the order in which they began, and so will expire
        self._timer: asyncio.TimerHandle | None = None

    def enforced(self) -> "_Stint":
        """Give the context in which the current task has so much time; past it the task is interrupted there.

        Raises:
            DeadlineExceeded: from the context, when that has happened.

        """
        return _Stint(self)

    def begin(self, stint: "_Stint") -> None:
        """Watch over a stint from now on."""
        self._under_way[stint] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._expire)

    def end(self, stint: "_Stint") -> None:
        """Watch over it no more."""
        self._under_way.pop(stint, None)

    def _expire(self) -> None:
        """Interrupt what has had its time, and come again when the next will have had it."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._under_way:
            oldest = next(iter(self._under_way))
            if oldest.began + self.seconds > loop.time():
                self._timer = loop.call_at(oldest.began + self.seconds, self._expire)
                return
            del self._under_way[oldest]
            oldest.interrupt()


class _Stint:
    """One task's time, as a context."""

    __slots__ = ("_cancelling", "_deadline", "_interrupted", "_task", "began")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            message = "A deadline is kept by a task, and there is none here."
            raise RuntimeError(message)
        self._task = task
        self._cancelling = task.cancelling()
        self._interrupted = False
        self.began = asyncio.get_running_loop().time()
        self._deadline.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadline.end(self)
        # Somebody else may have cancelled the task as well: that goes before, as with `asyncio.timeout`.
        if self._interrupted and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise DeadlineExceeded(self._deadline.seconds) from error

    def interrupt(self) -> None:
        """End the task's time."""
        self._interrupted = True
        self._task.cancel()
