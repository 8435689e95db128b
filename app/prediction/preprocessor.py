"""Preprocesses small pictures, or decodes them to scenes, on the event loop, and large ones in a separate process.

Knows nothing of the steps of preprocessing.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Self, TypeVar

import structlog

from app.errors import MalformedRequest, Overloaded
from app.observability.observers import PictureObserver
from app.prediction.preprocessing_pool import PreprocessingPool
from app.prediction.preprocessing_process import PictureFunction
from app.prediction.wait_estimate import WaitEstimate
from app.settings import Settings
from imaging import (
    ExpensivePicture,
    PictureError,
    PreprocessedPicture,
    Scene,
    decode_scene,
    is_cheap_to_decode,
    preprocess_picture,
    preprocess_pictures,
)

T = TypeVar("T")

_log = structlog.get_logger()

_INITIAL_SECONDS = 0.01
"""The estimate for an expensive picture before any has been preprocessed: the time of about a megapixel."""
_CHUNK_IMAGES = 4
"""Cheap pictures of one request that are preprocessed in one iteration of the event loop: 2 ms each at most."""


class Preprocessor:
    """Preprocesses pictures that are cheap to decode on the event loop, and expensive ones in a process, one by one.

    Decoding to a scene goes the same way.

    Cancelling the caller kills the process that works on its picture.
    """

    def __init__(
        self,
        *,
        max_pixels: int,
        longest_wait_seconds: float,
        observer: PictureObserver,
        deadline_seconds: float = 10,
    ) -> None:
        self._max_pixels = max_pixels
        self._observer = observer
        # The worker kills a process at the deadline. The process ends by itself a second later, if the worker is gone.
        self._pool = PreprocessingPool(max_pixels=max_pixels, max_seconds=deadline_seconds + 1)
        self._wait = WaitEstimate(
            "it is decoded",
            longest_wait_seconds=longest_wait_seconds,
            initial_seconds=_INITIAL_SECONDS,
            longest_running_seconds=self._pool.longest_running_seconds,
        )

    @classmethod
    def from_settings(cls, settings: Settings, observer: PictureObserver) -> Self:
        """Create a preprocessor with the limits of the settings."""
        return cls(
            max_pixels=settings.max_pixels,
            longest_wait_seconds=settings.longest_wait_seconds,
            observer=observer,
            deadline_seconds=settings.deadline_seconds,
        )

    def overload_error(self, received: int = 0) -> Overloaded | None:
        """Return the error for one more expensive picture if it would wait too long; None if it is accepted.

        Args:
            received: how many expensive pictures the service has received and not answered. Some of them may not have
                reached this preprocessor yet.

        """
        return self._wait.overload_error(received)

    async def preprocess(self, data: bytes) -> PreprocessedPicture:
        """Preprocess the picture in `data`.

        Raises:
            MalformedRequest: if `data` is empty.
            Overloaded: if the picture is expensive and would wait too long, or no process can be started for it.
            PictureError: if `data` cannot be decoded as a picture.

        """
        (outcome,) = self.preprocess_inline([data]) if is_cheap_to_decode(data) else [ExpensivePicture()]
        if isinstance(outcome, ExpensivePicture):
            return await self.preprocess_in_process(data)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def preprocess_several(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        """Preprocess several pictures; for one that fails, the list has the error that `preprocess` raises."""
        outcomes: list[PreprocessedPicture | Exception] = [ExpensivePicture() for _ in pictures]
        cheap = [index for index, data in enumerate(pictures) if is_cheap_to_decode(data)]
        for start in range(0, len(cheap), _CHUNK_IMAGES):
            indices = cheap[start : start + _CHUNK_IMAGES]
            preprocessed = self.preprocess_inline([pictures[index] for index in indices])
            for index, outcome in zip(indices, preprocessed, strict=True):
                outcomes[index] = outcome
            await asyncio.sleep(0)
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, ExpensivePicture):
                outcomes[index] = await self._try_in_process(pictures[index])
        return outcomes

    def preprocess_inline(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        """Preprocess cheap pictures on the event loop. Return the result or the error of each.

        For a picture that turns out to be expensive, the list has `ExpensivePicture`: it needs `preprocess_in_process`.
        """
        if not pictures:
            return []
        started = time.perf_counter()
        preprocessed = iter(preprocess_pictures(filter(None, pictures), max_pixels=self._max_pixels, cheap_only=True))
        outcomes = [next(preprocessed) if data else empty_file_error() for data in pictures]
        mean_seconds = (time.perf_counter() - started) / len(pictures)
        for outcome in outcomes:
            if not isinstance(outcome, ExpensivePicture):
                self._observer.observe_preprocessing(mean_seconds)
        return outcomes

    async def warm_up(self) -> None:
        """Start the process. If it cannot be started, that is logged, and the first expensive picture tries again."""
        try:
            await self._pool.warm_up()
        except Exception as error:  # noqa: BLE001 - logged; the service works without
            _log.warning("preprocessing process not started", reason=str(error))

    async def _try_in_process(self, data: bytes) -> PreprocessedPicture | Exception:
        try:
            return await self.preprocess_in_process(data)
        except Exception as error:  # noqa: BLE001 - it must not affect the other pictures
            return error

    async def preprocess_in_process(self, data: bytes) -> PreprocessedPicture:
        """Preprocess the picture in `data` in a process; raises what `preprocess` does."""
        return await self._run_in_process(preprocess_picture, data)

    async def decode_scene(self, data: bytes) -> Scene:
        """Decode the picture in `data` to a scene; raises what `preprocess` does."""
        if not is_cheap_to_decode(data):
            return await self._run_in_process(decode_scene, data)
        if not data:
            raise empty_file_error()
        started = time.perf_counter()
        scene = decode_scene(data, max_pixels=self._max_pixels)
        self._observer.observe_preprocessing(time.perf_counter() - started)
        return scene

    async def _run_in_process(self, function: PictureFunction[T], data: bytes) -> T:
        """Call a function of `imaging` in a process; raises what `preprocess` does."""
        with self._wait.waiting():
            outcome, seconds = await self._pool.run(function, data)
        self._wait.observe(seconds)
        if isinstance(outcome, PictureError):
            raise outcome
        self._observer.observe_preprocessing(seconds)
        return outcome


def empty_file_error() -> MalformedRequest:
    """Return the error of a picture without any bytes."""
    return MalformedRequest("The file is empty: 0 bytes. Send a picture.")
