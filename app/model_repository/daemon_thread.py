"""One thread for work that may never end, such as a read of a network disk. Knows not what the work is.

`ThreadPoolExecutor` is of no use for that: a process waits for its threads before it ends, however long they take.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class DaemonThread:
    """Does one piece of work after the other. Its methods are for one event loop; the process ends without it."""

    def __init__(self, name: str, *, prepare: Callable[[], None] | None = None) -> None:
        """Start the thread, which calls `prepare` first."""
        self._prepare = prepare
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._began: float | None = None  # the work that is being done, by `time.monotonic`
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def busy_seconds(self) -> float:
        """Tell for how long the thread has been at one piece of work; 0 if it has nothing to do."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    async def run(self, work: Callable[[], Result]) -> Result:
        """Have the thread do some work. If the caller is cancelled, work that has not begun is not done."""
        return await asyncio.wrap_future(self._submit(work))

    async def close(self, *, seconds: float) -> None:
        """Let the thread end after the work that was given to it, and wait for that for at most so many seconds."""
        last = self._submit(lambda: None)
        self._queue.put(None)
        await asyncio.wait([asyncio.wrap_future(last)], timeout=seconds)

    def _submit(self, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        self._queue.put((future, work))
        return future

    def _run(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while (item := self._queue.get()) is not None:
            self._do(*item)
            del item  # what the work holds goes when it is done, and not when the next work comes

    def _do(self, future: Future[Any], work: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._began = time.monotonic()
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            self._began = None
            future.set_exception(error)
        else:
            self._began = None
            future.set_result(result)
