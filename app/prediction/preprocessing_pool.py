"""Processes that decode and preprocess large pictures: one picture at a time, or two if one of them is slow.

Knows no requests.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import numpy as np
from anyio import to_process

from app.errors import Overloaded
from app.prediction.preprocessing_process import PictureFunction, initialise_process, run_with_limits
from imaging import PictureError, UnreadablePicture, encode_png, preprocess_picture

T = TypeVar("T")

_SLOW_SECONDS = 1.0
"""When a picture has taken this long, a second process works on the others."""
_MAX_PROCESSES = 2
_WARM_UP_SECONDS = 3.0
"""How long the pool waits before it starts a process: the first seconds are for loading the models."""


class PreprocessingPool:
    """One process, and a second one while the first is busy with a slow picture.

    A worker has one core to itself, and the memory for one expensive picture at a time.
    """

    def __init__(self, *, max_pixels: int, max_seconds: float) -> None:
        """Take the limits of one picture: its pixels, and the time that a process may spend on it."""
        self._max_pixels = max_pixels
        self._max_seconds = max_seconds
        self._slots = anyio.CapacityLimiter(1)  # for pictures that are in work at the same time
        self._processes = anyio.CapacityLimiter(_MAX_PROCESSES)
        self._started_at: dict[object, float] = {}  # of each picture in work
        self._slow: set[object] = set()  # slow pictures, for each of which a slot is added
        self._process_count = 0  # idle, busy and starting
        self._starting: asyncio.Future[None] | None = None

    def longest_running_seconds(self) -> float:
        """Return for how long the oldest picture has been in work; 0 if there is none."""
        return time.perf_counter() - min(self._started_at.values()) if self._started_at else 0.0

    async def run(self, function: PictureFunction[T], data: bytes) -> tuple[T | PictureError, float]:
        """Call `function` for the picture in `data` when a slot is free.

        Cancelling the caller kills the process that works on the picture.

        Returns:
            The result, or why the picture cannot be decoded, and the seconds that it took.

        Raises:
            UnreadablePicture: if it has crashed the process.
            Overloaded: if no process can be started.

        """
        async with self._slot():
            try:
                try:
                    return await self._run(function, data)
                except anyio.BrokenWorkerProcess:
                    return await self._run(function, data)  # the process may have ended before it received the picture
            except anyio.BrokenWorkerProcess as error:
                message = "The picture crashes its decoder. Save it again, as a PNG, and send that."
                raise UnreadablePicture(message) from error
            except OSError as error:
                message = f"The service is busy: it cannot start a process ({error.strerror}). Try again in a second."
                raise Overloaded(message) from error

    async def _run(self, function: PictureFunction[T], data: bytes) -> tuple[T | PictureError, float]:
        while self._starting is not None or self._process_count < len(self._started_at):
            await self._start_process()
        try:
            return await to_process.run_sync(
                run_with_limits,
                function,
                data,
                self._max_pixels,
                self._max_seconds,
                cancellable=True,
                limiter=self._processes,
            )
        except (asyncio.CancelledError, anyio.BrokenWorkerProcess):
            self._process_count -= 1
            raise

    async def _start_process(self) -> None:
        """Start a process, or wait for the one that is starting.

        It starts in a task of its own: if the caller is cancelled, the process remains usable.
        """
        if self._starting is None:
            self._process_count += 1
            self._starting = asyncio.ensure_future(to_process.run_sync(initialise_process, limiter=self._processes))
            self._starting.add_done_callback(self._on_started)
        await asyncio.shield(self._starting)

    def _on_started(self, starting: asyncio.Future[None]) -> None:
        self._starting = None
        if starting.cancelled() or starting.exception() is not None:
            self._process_count -= 1

    async def warm_up(self) -> None:
        """Start the process, so that the first picture does not wait half a second for it."""
        await asyncio.sleep(_WARM_UP_SECONDS)
        await self.run(preprocess_picture, encode_png(np.zeros((1, 1), np.uint8)))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        async with self._slots:
            picture = object()
            self._started_at[picture] = time.perf_counter()
            timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._mark_slow, picture)
            try:
                yield
            finally:
                timer.cancel()
                del self._started_at[picture]
                self._slow.discard(picture)
                self._update_slots()

    def _mark_slow(self, picture: object) -> None:
        self._slow.add(picture)
        self._update_slots()

    def _update_slots(self) -> None:
        self._slots.total_tokens = min(1 + len(self._slow), _MAX_PROCESSES)
