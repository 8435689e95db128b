"""Classifies images with one version, and decides on abstention. Knows no pictures and no HTTP.

A version without an energy threshold cannot tell what is no digit: a linear model is as confident of a letter as of a
digit. The energies of the default model then stand in for its own.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Classification, Scores
from app.model_repository.card import Abstention
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LoadedVersion


@dataclass(frozen=True, slots=True)
class DigitClassifier:
    """A version that answers, and the version whose energies decide what is no digit. A request holds both."""

    version: LoadedVersion
    thresholds: Abstention
    """The thresholds for the classifications of this classifier."""
    outlier_detector: LoadedVersion | None = None
    """The default model, if its energies stand in; None if the version has a threshold, or there is no other."""

    @classmethod
    def of(cls, version: LoadedVersion, catalogue: ModelCatalogue) -> Self:
        """Return the classifier of a version, with the default model if that is needed and loaded."""
        thresholds = version.card.abstention
        if thresholds.energy is not None:
            return cls(version, thresholds)
        default = catalogue.default_classifier()
        if default is None or default.card.abstention.energy is None:
            return cls(version, thresholds)
        energy = default.card.abstention.energy
        return cls(version, Abstention(confidence=thresholds.confidence, energy=energy), default)

    async def classify(self, images: Images) -> list[Classification]:
        """Classify uint8 images of shape (n, 28, 28), n >= 1, in batches with the images of other callers.

        Raises:
            Overloaded: if a queue has no place for all of the images.
            NotReady: if a version has been unloaded.
            Exception: whatever an engine raised.

        """
        return await self._classify(lambda batcher: batcher.score(images))

    async def classify_in_turns(self, images: Images) -> list[Classification]:
        """Classify any number of images, one batch after the other; raises what `classify` does."""
        return await self._classify(lambda batcher: batcher.score_in_turns(images)) if len(images) else []

    async def _classify(self, score: Callable[[Batcher], Awaitable[Scores]]) -> list[Classification]:
        classifications = (await score(self.version.batcher)).classifications
        if self.outlier_detector is None:
            return classifications
        return _with_energies(classifications, await score(self.outlier_detector.batcher))

    def classify_inline(self, images: Images) -> list[Classification]:
        """Classify 1 <= n <= LARGEST_BATCH images on the event loop, without a queue; only if the engines run inline.

        Raises what `classify` does, except Overloaded.
        """
        classifications = self.version.batcher.score_inline(images).classifications
        if self.outlier_detector is None:
            return classifications
        return _with_energies(classifications, self.outlier_detector.batcher.score_inline(images))


def _with_energies(classifications: list[Classification], detector: Scores) -> list[Classification]:
    return [
        own._replace(energy=other.energy) for own, other in zip(classifications, detector.classifications, strict=True)
    ]
