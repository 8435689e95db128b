"""A thread for calls that may never return, such as reading a network disk. Knows nothing of what it calls.

`ThreadPoolExecutor` does not fit: a process waits for its threads before it ends, however long their calls take.
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
    """Runs functions one after the other. Its methods are for one event loop. It does not keep the process alive."""

    def __init__(self, name: str, *, initializer: Callable[[], None] | None = None) -> None:
        """Start the thread, which calls `initializer` first."""
        self._initializer = initializer
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._started_at: float | None = None  # of the current call, by `time.monotonic`
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def busy_seconds(self) -> float:
        """Return for how long the current call has been running; 0 if there is none."""
        started_at = self._started_at
        return 0.0 if started_at is None else time.monotonic() - started_at

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call a function in the thread. If the caller is cancelled before the call begins, it is not made."""
        return await asyncio.wrap_future(self._submit(function))

    async def close(self, *, seconds: float) -> None:
        """End the thread after the calls that were submitted, and wait for at most `seconds`."""
        last = self._submit(lambda: None)
        self._queue.put(None)
        await asyncio.wait([asyncio.wrap_future(last)], timeout=seconds)

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        self._queue.put((future, function))
        return future

    def _run(self) -> None:
        if self._initializer is not None:
            self._initializer()
        while (item := self._queue.get()) is not None:
            self._call(*item)
            del item  # frees what the function refers to now, and not when the next call comes

    def _call(self, future: Future[Any], function: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._started_at = time.monotonic()
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed on to the caller
            self._started_at = None
            future.set_exception(error)
        else:
            self._started_at = None
            future.set_result(result)
