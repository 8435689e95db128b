"""Has pictures read without holding up the event loop. Knows nothing of how a picture is read."""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

import structlog

from app.errors import MalformedRequest, Overloaded
from app.observability.observers import PreprocessingObserver
from app.prediction.preprocessing_pool import PreprocessingPool
from app.settings import Settings
from imaging import ExpensiveToDecode, PictureError, PreprocessedPicture, is_cheap_to_decode, preprocess_pictures

_log = structlog.get_logger()

_FIRST_GUESS_SECONDS = 0.01
"""What a large picture takes to read, until some have been: about a megapixel."""
_NEWEST_SHARE = 0.2
_NEVER_TOO_MANY = 2
"""Two may wait however long they take, so that few people with very large pictures are not in each other's way."""

_AT_ONCE = 4
"""Small pictures of one request that are read before the event loop goes on: 2 ms each at most."""


class Preprocessor:
    """Reads small pictures at once, and large ones in a process, one after the other.

    Cancelling the caller kills the process that reads its picture.
    """

    def __init__(
        self,
        *,
        max_pixels: int,
        longest_wait_seconds: float,
        observer: PreprocessingObserver,
        deadline_seconds: float = 10,
    ) -> None:
        self._max_pixels = max_pixels
        self._longest_wait_seconds = longest_wait_seconds
        self._observer = observer
        # A process gives up by itself later than whoever waits for it: the worker may have been killed meanwhile.
        self._pool = PreprocessingPool(max_pixels=max_pixels, most_seconds=deadline_seconds + 1)
        self._waiting = 0
        self._mean_seconds = _FIRST_GUESS_SECONDS

    @classmethod
    def from_settings(cls, settings: Settings, observer: PreprocessingObserver) -> Self:
        """Create one with the limits of the settings."""
        return cls(
            max_pixels=settings.max_pixels,
            longest_wait_seconds=settings.longest_wait_seconds,
            observer=observer,
            deadline_seconds=settings.deadline_seconds,
        )

    def refusal(self, expected: int = 0) -> Overloaded | None:
        """Say how long a large picture would have to wait, if that is too long.

        Args:
            expected: how many large pictures are here already and wait, where more is known than here.

        """
        before = max(self._waiting, expected)
        # A picture that has taken long may take as long again.
        wait_seconds = max(before * self._mean_seconds, self._pool.seconds_under_way())
        if before < _NEVER_TOO_MANY or wait_seconds <= self._longest_wait_seconds:
            return None
        return Overloaded(
            f"The service is busy: the picture would wait {wait_seconds * 1000:.0f} milliseconds before it is read. "
            "Try again in a second."
        )

    async def read(self, data: bytes) -> PreprocessedPicture:
        """Read the picture in `data`.

        Raises:
            MalformedRequest: if there are no bytes.
            Overloaded: if it is large, and would have to wait too long, or no process can be started for it.
            PictureError: if they cannot be read as a picture.

        """
        (outcome,) = self.preprocess_inline([data]) if is_cheap_to_decode(data) else [ExpensiveToDecode()]
        if isinstance(outcome, ExpensiveToDecode):
            return await self.preprocess_large(data)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def read_several(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        """Read several; in the place of one that cannot be read is what `read` raises."""
        outcomes: list[PreprocessedPicture | Exception] = [ExpensiveToDecode() for _ in pictures]
        brief = [place for place, data in enumerate(pictures) if is_cheap_to_decode(data)]
        for start in range(0, len(brief), _AT_ONCE):
            places = brief[start : start + _AT_ONCE]
            for place, outcome in zip(
                places, self.preprocess_inline([pictures[place] for place in places]), strict=True
            ):
                outcomes[place] = outcome
            await asyncio.sleep(0)
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, ExpensiveToDecode):
                outcomes[place] = await self._try_to_read_large(pictures[place])
        return outcomes

    def preprocess_inline(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        """Do the same at once, for pictures that all are `is_brief`.

        In the place of one whose pixels show that it is not brief after all is `NotBrief`: `read_large` reads it.
        """
        if not pictures:
            return []
        started = time.perf_counter()
        preprocessed = iter(preprocess_pictures(filter(None, pictures), max_pixels=self._max_pixels, cheap_only=True))
        outcomes = [next(preprocessed) if data else _nothing() for data in pictures]
        mean_seconds = (time.perf_counter() - started) / len(pictures)
        for outcome in outcomes:
            if not isinstance(outcome, ExpensiveToDecode):
                self._observer.observe_preprocessing(mean_seconds)
        return outcomes

    async def warm_up(self) -> None:
        """Prepare for the first large picture, or do without: it is only the sooner for it."""
        try:
            await self._pool.warm_up()
        except Exception as error:  # noqa: BLE001 - handed on to the log; the service must not fall with it
            _log.warning("no process for large pictures yet", reason=str(error))

    async def _try_to_read_large(self, data: bytes) -> PreprocessedPicture | Exception:
        try:
            return await self.preprocess_large(data)
        except Exception as error:  # noqa: BLE001 - its neighbours have nothing to do with it
            return error

    async def preprocess_large(self, data: bytes) -> PreprocessedPicture:
        """Read the picture in `data` in a process; raises what `read` does."""
        if refusal := self.refusal():
            raise refusal
        self._waiting += 1
        try:
            outcome, seconds = await self._pool.read(data)
        finally:
            self._waiting -= 1
        self._mean_seconds += _NEWEST_SHARE * (seconds - self._mean_seconds)
        if isinstance(outcome, PictureError):
            raise outcome
        self._observer.observe_preprocessing(seconds)
        return outcome


def _nothing() -> MalformedRequest:
    return MalformedRequest("The file is empty: 0 bytes. Send a picture.")
