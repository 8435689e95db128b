"""Has pictures read without holding up the event loop. Knows nothing of how a picture is read."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, Self

from app.errors import MalformedRequest, Overloaded
from imaging import Reading, is_brief, read_picture

_FIRST_GUESS_SECONDS = 0.01
"""What a large picture takes to read, until some have been: about a megapixel."""
_NEWEST_SHARE = 0.2
_NEVER_TOO_MANY = 2
"""Two may wait however long they take, so that few people with very large pictures are not in each other's way."""


class Observer(Protocol):
    """Who wants to know how long the reading takes."""

    def read(self, seconds: float) -> None:
        """Be told how long one picture took."""


class Reader:
    """Reads small pictures at once, and large ones in a thread of its own, one after the other."""

    def __init__(self, *, max_pixels: int, longest_wait_seconds: float, observer: Observer) -> None:
        self._read_picture = partial(read_picture, max_pixels=max_pixels)
        self._longest_wait_seconds = longest_wait_seconds
        self._observer = observer
        # One thread: a worker has one core, and one large picture in memory at a time is enough.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._waiting = 0
        self._mean_seconds = _FIRST_GUESS_SECONDS

    @property
    def wait_seconds(self) -> float:
        """How long a large picture would wait before it is read, by what others took of late."""
        return self._waiting * self._mean_seconds

    def refusal(self, *, expected: int = 0) -> Overloaded | None:
        """Say how long a large picture would have to wait, if that is too long.

        Args:
            expected: how many large pictures are on their way or here already, where that is known.

        """
        before = max(self._waiting, expected)
        wait_seconds = before * self._mean_seconds
        if before < _NEVER_TOO_MANY or wait_seconds <= self._longest_wait_seconds:
            return None
        return Overloaded(
            f"The service is busy: the picture would wait {wait_seconds:.1f} seconds before it is read. "
            "Try again in a second."
        )

    async def read(self, data: bytes) -> Reading:
        """Read the picture in `data`.

        Raises:
            MalformedRequest: if there are no bytes.
            Overloaded: if it is large, and would have to wait too long for the thread.
            PictureError: if they cannot be read as a picture.

        """
        if is_brief(data):
            return self.read_brief(data)
        reading, seconds = await self._read_large(data)
        self._observer.read(seconds)  # here and not in the thread: it is for the event loop, and for this request
        return reading

    def read_brief(self, data: bytes) -> Reading:
        """Do the same at once, for a picture that `is_brief`."""
        if not data:
            message = "The file is empty: 0 bytes. Send a picture."
            raise MalformedRequest(message)
        reading, seconds = self._read(data)
        self._observer.read(seconds)
        return reading

    def _read(self, data: bytes) -> tuple[Reading, float]:
        started = time.perf_counter()
        return self._read_picture(data), time.perf_counter() - started

    async def _read_large(self, data: bytes) -> tuple[Reading, float]:
        if refusal := self.refusal():
            raise refusal
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._read_and_learn, data)
        finally:
            self._waiting -= 1

    def _read_and_learn(self, data: bytes) -> tuple[Reading, float]:
        started = time.perf_counter()
        try:
            return self._read(data)
        finally:
            self._mean_seconds += _NEWEST_SHARE * (time.perf_counter() - started - self._mean_seconds)

    async def close(self) -> None:
        """Finish what was begun, and let the thread go."""
        await asyncio.to_thread(self._thread.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
