"""Scores the images of one model with a second, shadow version and counts where they disagree. Changes no response.

No request waits for the shadow version. Images that a request has scored go into a queue, and are scored again in small
groups. Between two groups, the event loop serves requests. When the queue is full, images are skipped.
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
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics

_CHUNK_IMAGES = 8
"""The convnet scores this many images in less than a millisecond."""
_QUEUE_SIZE = 1024
"""Images."""

_log = structlog.get_logger()

FindVersion = Callable[[str, int | None, str | None], LoadedVersion]


@dataclass(frozen=True)
class ShadowPair:
    """The model that answers, and the shadow version whose scores are compared with its scores."""

    primary: str
    shadow: str
    version: int | None
    label: str | None

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Parse `softmax:convnet`, `convnet:convnet@3` or `convnet:convnet@latest`."""
        primary, _, rest = setting.partition(":")
        shadow, _, choice = rest.partition("@")
        version, label = (int(choice), None) if choice.isdecimal() else (None, choice or None)
        return cls(primary, shadow, version, label)


class Shadow:
    """Compares the predictions of a model and its shadow version. Belongs to one event loop."""

    def __init__(self, pair: ShadowPair, metrics: ServiceMetrics) -> None:
        self._pair = pair
        self._metrics = metrics
        self._queue: deque[tuple[Card, Images, Scores]] = deque()
        self._waiting = 0  # images in _queue
        self._not_empty = asyncio.Event()

    def compares(self, name: str) -> bool:
        """Tell whether the scores of the model `name` are compared."""
        return name == self._pair.primary

    def submit(self, card: Card, images: Images, scores: Scores) -> None:
        """Queue images that a version has scored, uint8 of shape (n, 28, 28), and their scores."""
        if self._waiting + len(images) > _QUEUE_SIZE:
            self._count(card, "skipped", len(images))
            return
        self._queue.append((card, images, scores))
        self._waiting += len(images)
        self._not_empty.set()

    async def run(self, find: FindVersion) -> None:
        """Compare the queued images, until cancelled.

        Args:
            find: returns the loaded version of a model, as `ModelCatalogue.find` does.

        """
        while True:
            await self._not_empty.wait()
            card, images, scores = self._queue.popleft()
            self._waiting -= len(images)
            if not self._queue:
                self._not_empty.clear()
            digits = scores.probabilities.argmax(axis=1)
            for start in range(0, len(images), _CHUNK_IMAGES):
                part = slice(start, start + _CHUNK_IMAGES)
                await self._compare(find, card, images[part], digits[part])
                await asyncio.sleep(0)  # requests that arrived meanwhile go first

    async def _compare(
        self, find: FindVersion, card: Card, images: Images, digits: np.ndarray[tuple[int], np.dtype[np.intp]]
    ) -> None:
        try:
            shadow = find(self._pair.shadow, self._pair.version, self._pair.label)
            if (shadow.card.name, shadow.card.version) == (card.name, card.version):
                return  # the same version
            scores = await shadow.batcher.score(images)
        except ServiceError:  # it is not loaded, or its queue is full
            self._count(card, "skipped", len(images))
            return
        except Exception as error:  # noqa: BLE001 - logged; the responses have been sent
            _log.error("shadow failed", shadow=self._pair.shadow, exc_info=error)
            self._count(card, "skipped", len(images))
            return
        agreed = int((scores.probabilities.argmax(axis=1) == digits).sum())
        self._count(card, "agreed", agreed)
        self._count(card, "disagreed", len(images) - agreed)

    def _count(self, card: Card, outcome: str, images: int) -> None:
        self._metrics.count_shadow_images(card.name, card.version, self._pair.shadow, outcome, images)
