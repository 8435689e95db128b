"""Has a second version score what the first has answered, and counts where they disagree. Changes no answer.

Nobody waits for it: it takes what was answered from a queue, a few images at a time, and lets the event loop see to
requests in between. When the queue is full it passes images over rather than keep them.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import structlog

from app.errors import ServiceError
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Card
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics

_AT_ONCE = 8
"""Images; the convnet scores so many in less than a millisecond."""
_QUEUE_SIZE = 1024
"""Images."""

_log = structlog.get_logger()

Find = Callable[[str, int | None, str | None], ServedVersion]


@dataclass(frozen=True)
class Pair:
    """Who answers, and whose scores are only compared."""

    answering: str
    name: str
    version: int | None
    label: str | None

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Read `softmax:convnet`, `convnet:convnet@3` or `convnet:convnet@latest`."""
        answering, _, shadow = setting.partition(":")
        name, _, choice = shadow.partition("@")
        version, label = (int(choice), None) if choice.isdecimal() else (None, choice or None)
        return cls(answering, name, version, label)


class Shadow:
    """Compares two models on the images that the first of them answers. It belongs to one event loop."""

    def __init__(self, pair: Pair, metrics: ServiceMetrics) -> None:
        self._pair = pair
        self._metrics = metrics
        self._answered: deque[tuple[Card, Images, Scores]] = deque()
        self._waiting = 0  # images in _answered
        self._something = asyncio.Event()

    def watches(self, name: str) -> bool:
        """Tell whether a model's answers are to be compared."""
        return name == self._pair.answering

    def note(self, card: Card, images: Images, scores: Scores) -> None:
        """Be told what a version has answered: uint8 images of shape (n, 28, 28), and their scores."""
        if self._waiting + len(images) > _QUEUE_SIZE:
            self._count(card, "skipped", len(images))
            return
        self._answered.append((card, images, scores))
        self._waiting += len(images)
        self._something.set()

    async def run(self, find: Find) -> None:
        """Compare what comes, until cancelled.

        Args:
            find: gives the version of a model that answers, as `Repository.find`.

        """
        while True:
            await self._something.wait()
            card, images, scores = self._answered.popleft()
            self._waiting -= len(images)
            if not self._answered:
                self._something.clear()
            digits = scores.probabilities.argmax(axis=1)
            for start in range(0, len(images), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                await self._compare(find, card, images[part], digits[part])
                await asyncio.sleep(0)  # whoever has sent a request meanwhile goes first

    async def _compare(
        self, find: Find, card: Card, images: Images, digits: np.ndarray[tuple[int], np.dtype[np.intp]]
    ) -> None:
        try:
            shadow = find(self._pair.name, self._pair.version, self._pair.label)
            if (shadow.card.name, shadow.card.version) == (card.name, card.version):
                return  # the very version that answered
            found = await shadow.batcher.score(images)
        except ServiceError:  # it is not loaded, or has too much to do
            self._count(card, "skipped", len(images))
            return
        except Exception as error:  # noqa: BLE001 - told to the log: the answers that were given stand
            _log.error("shadow failed", shadow=self._pair.name, exc_info=error)
            self._count(card, "skipped", len(images))
            return
        agreed = int((found.probabilities.argmax(axis=1) == digits).sum())
        self._count(card, "agreed", agreed)
        self._count(card, "disagreed", len(images) - agreed)

    def _count(self, card: Card, outcome: str, images: int) -> None:
        self._metrics.count_shadow_images(card.name, card.version, self._pair.name, outcome, images)
