"""Finds the candidates for digits in one picture at a time, in a thread, and classifies them. Knows no HTTP."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.model_repository.versions import LoadedFinder
from app.observability.observers import PictureObserver
from app.prediction.digit_choice import Choice, doubtful_clusters
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import FoundDigit, divide_otherwise, find_digits
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

    def __init__(self, observer: PictureObserver, settings: Settings) -> None:
        self._observer = observer
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

    async def find(
        self, pixels: NDArray[np.uint8], finder: LoadedFinder, classifier: DigitClassifier, *, thorough: bool
    ) -> list[Choice]:
        """Return the candidates for digits in a picture, uint8 (h, w) or (h, w, 3), with their classifications.

        Where the finder's division of the ink gives no clear digits, there are candidates for other divisions, too.

        Raises:
            ServiceError: if a model has been unloaded, or the picture would wait too long.

        """
        rgb = as_rgb(pixels)
        with self._wait.waiting():
            finds, seconds = await self.run_in_thread(_timed, find_digits, rgb, finder.run_blocking, thorough=thorough)
        self._wait.observe(seconds)
        self._observer.observe_finding(seconds)
        candidates = await _classify(finds.digits, classifier)
        if doubtful := doubtful_clusters(candidates, classifier.thresholds):
            others = await self.run_in_thread(divide_otherwise, rgb, finds, doubtful, thorough=thorough)
            candidates += await _classify(others, classifier)
        return candidates

    async def run_in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the thread. If the caller is cancelled before that begins, it is not called."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))


def _timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    """Call `function`; return its result and the seconds that it took."""
    started = time.perf_counter()
    return function(*args, **kwargs), time.perf_counter() - started


async def _classify(digits: Sequence[FoundDigit], classifier: DigitClassifier) -> list[Choice]:
    classifications = await classifier.classify_in_turns(np.array([digit.image for digit in digits]))
    return list(zip(digits, classifications, strict=True))
