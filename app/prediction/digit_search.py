"""Runs the search for digits in a thread, for one picture at a time. Knows no HTTP."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.model_repository.versions import LoadedFinder
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_finder import FoundDigit, find_digits
from app.prediction.wait_estimate import WaitEstimate
from app.settings import Settings
from imaging import as_rgb

P = ParamSpec("P")
T = TypeVar("T")

_ALWAYS_ACCEPTED = 4
"""The page asks both models about a picture, and then for its digits."""
_INITIAL_SECONDS = 0.01
"""The estimate of the time to find the digits of a picture before that has been done."""


class DigitSearch:
    """Finds the digits in pictures.

    A worker has one core to itself: it searches one picture at a time, in a thread.
    """

    def __init__(self, metrics: ServiceMetrics, settings: Settings) -> None:
        self._metrics = metrics
        self._wait = WaitEstimate(
            "its digits are found",
            longest_wait_seconds=settings.longest_wait_seconds,
            initial_seconds=_INITIAL_SECONDS,
            always_accepted=_ALWAYS_ACCEPTED,
        )
        # Not the threads that all share: a cancelled search keeps its thread until its step ends.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="digit-search")

    def close(self) -> None:
        """Drop the searches that wait for the thread, which ends after its current step."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def find(self, pixels: NDArray[np.uint8], finder: LoadedFinder, *, thorough: bool) -> list[FoundDigit]:
        """Return what `find_digits` returns for a picture, uint8 (h, w) or (h, w, 3).

        Raises:
            Overloaded: if the picture would wait too long.

        """
        with self._wait.waiting():
            found, seconds = await self.run_in_thread(
                _timed, find_digits, as_rgb(pixels), finder.run_blocking, thorough=thorough
            )
        self._wait.observe(seconds)
        self._metrics.observe_finding(seconds)
        return found

    async def run_in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the thread. If the caller is cancelled before that begins, it is not called."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))


def _timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    """Call `function`; return its result and the seconds that it took."""
    started = time.perf_counter()
    return function(*args, **kwargs), time.perf_counter() - started
