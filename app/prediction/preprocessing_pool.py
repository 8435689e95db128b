"""Processes that read pictures, one picture after the other. Knows nothing of who waits, and for how long."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import numpy as np
from anyio import to_process

from app.errors import Overloaded
from app.prediction.preprocessing_process import prepare, read_alone
from imaging import PictureError, PreprocessedPicture, UnreadablePicture, encode_png

_PATIENCE_SECONDS = 1.0
"""A picture that takes longer is read beside the others from then on."""
_MOST_PROCESSES = 2
_WARM_UP_SECONDS = 3.0
"""How long the pool waits before it starts a process: the first seconds are for loading the models."""


class PreprocessingPool:
    """One process, and another one while that is busy with a slow picture.

    A worker has one core to itself, and the memory for one large picture at a time.
    """

    def __init__(self, *, max_pixels: int, most_seconds: float) -> None:
        """Take the limits of one picture: its pixels, and how long its process may read it."""
        self._max_pixels = max_pixels
        self._most_seconds = most_seconds
        self._turns = anyio.CapacityLimiter(1)
        self._processes = anyio.CapacityLimiter(_MOST_PROCESSES)
        self._began: dict[object, float] = {}  # when each picture that is being read was begun
        self._slow: set[object] = set()  # those of them that others need not wait for
        self._started = 0  # processes that are idle, read or are starting
        self._starting: asyncio.Future[None] | None = None

    def seconds_under_way(self) -> float:
        """Say for how long the oldest picture is being read; 0 if none is."""
        return time.perf_counter() - min(self._began.values()) if self._began else 0.0

    async def read(self, data: bytes) -> tuple[PreprocessedPicture | PictureError, float]:
        """Read the picture in `data` when its turn comes, or find out why it cannot be read.

        Cancelling the caller kills the process that reads it.

        Returns:
            What came of it, and how many seconds it took.

        Raises:
            UnreadablePicture: if it has ended the process.
            Overloaded: if no process can be started.

        """
        async with self._turn():
            try:
                try:
                    return await self._run(data)
                except anyio.BrokenWorkerProcess:
                    return await self._run(data)  # the process may have been ended before it got the picture
            except anyio.BrokenWorkerProcess as error:
                message = "The picture makes its decoder fail. Save it again, as a PNG, and send that."
                raise UnreadablePicture(message) from error
            except OSError as error:
                message = f"The service is busy: it cannot start a process ({error.strerror}). Try again in a second."
                raise Overloaded(message) from error

    async def _run(self, data: bytes) -> tuple[PreprocessedPicture | PictureError, float]:
        while self._starting is not None or self._started < len(self._began):
            await self._start_process()
        try:
            return await to_process.run_sync(
                read_alone, data, self._max_pixels, self._most_seconds, cancellable=True, limiter=self._processes
            )
        except (asyncio.CancelledError, anyio.BrokenWorkerProcess):
            self._started -= 1
            raise

    async def _start_process(self) -> None:
        """Start one, or wait for the one that is starting: not as the caller, whose end would leave it behind."""
        if self._starting is None:
            self._started += 1
            self._starting = asyncio.ensure_future(to_process.run_sync(prepare, limiter=self._processes))
            self._starting.add_done_callback(self._note_start)
        await asyncio.shield(self._starting)

    def _note_start(self, start: asyncio.Future[None]) -> None:
        self._starting = None
        if start.cancelled() or start.exception() is not None:
            self._started -= 1

    async def warm_up(self) -> None:
        """Start the process before the first picture comes, which would wait for half a second."""
        await asyncio.sleep(_WARM_UP_SECONDS)
        await self.read(encode_png(np.zeros((1, 1), np.uint8)))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._turns:
            picture = object()
            self._began[picture] = time.perf_counter()
            timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._let_others_pass, picture)
            try:
                yield
            finally:
                timer.cancel()
                del self._began[picture]
                self._slow.discard(picture)
                self._set_turns()

    def _let_others_pass(self, picture: object) -> None:
        self._slow.add(picture)
        self._set_turns()

    def _set_turns(self) -> None:
        self._turns.total_tokens = min(1 + len(self._slow), _MOST_PROCESSES)
