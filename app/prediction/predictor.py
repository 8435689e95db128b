"""Predicts the digits of pictures: preprocesses them, scores the images and decides on abstention. Knows no HTTP."""

import base64
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.deadline import Deadline
from app.errors import ServiceError
from app.feedback.prediction_ids import PredictionIds
from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.preprocessor import Preprocessor
from app.schemas import Prediction, Reason
from imaging import PictureError, PreprocessedPicture, encode_png, is_cheap_to_decode


class PendingPicture(NamedTuple):
    """A picture that waits for its prediction."""

    data: bytes
    """The picture file."""
    seen: bool
    """Whether the prediction includes the image that the model received."""
    received_at: float
    """By `time.perf_counter`."""


class Predictor:
    """Predicts the digit of one or several pictures, within a deadline."""

    def __init__(
        self,
        catalogue: ModelCatalogue,
        preprocessor: Preprocessor,
        metrics: ServiceMetrics,
        *,
        deadline_seconds: float,
        prediction_ids: PredictionIds | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._preprocessor = preprocessor
        self._metrics = metrics
        self._deadline = Deadline(deadline_seconds)
        self._prediction_ids = prediction_ids  # None if corrections are not collected

    async def predict(self, data: bytes, model: str, version: int | None, *, seen: bool) -> Prediction:
        """Predict the digit of the picture in `data`.

        Raises:
            ServiceError: if the model cannot answer.
            PictureError: if the picture cannot be preprocessed.

        """
        loaded = self._catalogue.find(model, version)
        with self._deadline.enforced():
            picture = await self._preprocessor.preprocess(data)
            scores = await loaded.batcher.score(picture.image[np.newaxis])
        return self._prediction(loaded, picture, scores.classifications[0], seen=seen)

    async def predict_in_process(self, loaded: LoadedVersion, pending: PendingPicture) -> Prediction:
        """Predict the digit of a picture that is expensive to decode; raises what `predict` does."""
        with self._deadline.enforced():
            picture = await self._preprocessor.preprocess_in_process(pending.data)
            scores = await loaded.batcher.score(picture.image[np.newaxis])
        return self._prediction(loaded, picture, scores.classifications[0], seen=pending.seen)

    def find_version_for_inline(self, data: bytes, model: str, version: int | None) -> LoadedVersion | None:
        """Find the version for `predict_inline`; None if the picture in `data`, or the engine, takes too long.

        Raises:
            ServiceError: if the model cannot answer.

        """
        loaded = self._catalogue.find(model, version)
        return loaded if loaded.batcher.runs_inline and is_cheap_to_decode(data) else None

    def predict_inline(self, loaded: LoadedVersion, pictures: Sequence[PendingPicture]) -> list[Prediction | Exception]:
        """Predict the digits of at most LARGEST_BATCH pictures on the event loop, without a task or thread.

        There is no deadline, because nothing is awaited.

        Args:
            loaded: the version from `find_version_for_inline`.
            pictures: the pictures.

        Returns:
            For each picture its prediction, or the error of preprocessing it. `ExpensivePicture` means that
            `predict_in_process` has to predict it.

        Raises:
            NotReady: if the version has been unloaded.
            Exception: whatever the engine raised.

        """
        started = time.perf_counter()
        for pending in pictures:
            self._metrics.observe_queue_time(started - pending.received_at)
        outcomes = self._preprocessor.preprocess_inline([pending.data for pending in pictures])
        images = [outcome.image for outcome in outcomes if isinstance(outcome, PreprocessedPicture)]
        classifications = loaded.batcher.score_inline(np.stack(images)).classifications if images else []
        return self._predictions(loaded, outcomes, classifications, [pending.seen for pending in pictures])

    async def predict_several(
        self, pictures: Sequence[bytes], model: str, version: int | None, *, seen: bool
    ) -> list[Prediction | Exception]:
        """Predict the digits of several pictures, in their order.

        Returns:
            For each picture its prediction, or the error of preprocessing it.

        Raises:
            ServiceError: if the model cannot answer.

        """
        loaded = self._catalogue.find(model, version)
        with self._deadline.enforced():
            outcomes = await self._preprocessor.preprocess_several(pictures)
            for outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, ServiceError | PictureError):
                    raise outcome  # an unexpected error, which has to be logged
            images = [outcome.image for outcome in outcomes if isinstance(outcome, PreprocessedPicture)]
            classifications = (await loaded.batcher.score(np.stack(images))).classifications if images else []
        return self._predictions(loaded, outcomes, classifications, [seen] * len(pictures))

    def _predictions(
        self,
        loaded: LoadedVersion,
        outcomes: Sequence[PreprocessedPicture | Exception],
        classifications: Sequence[Classification],
        seen: Sequence[bool],
    ) -> list[Prediction | Exception]:
        """Return a prediction for each preprocessed picture, in the order of `classifications`, and keep the errors."""
        remaining = iter(classifications)
        return [
            self._prediction(loaded, outcome, next(remaining), seen=include_seen)
            if isinstance(outcome, PreprocessedPicture)
            else outcome
            for outcome, include_seen in zip(outcomes, seen, strict=True)
        ]

    def _prediction(
        self, loaded: LoadedVersion, picture: PreprocessedPicture, classification: Classification, *, seen: bool
    ) -> Prediction:
        """Combine the findings of preprocessing and the classification of the model."""
        card = loaded.card
        reason = picture.finding or abstention_reason(card.abstention, classification)
        self._metrics.count_prediction(card.name, card.version, classification.digit, reason)
        return Prediction(
            digit=classification.digit,
            confidence=classification.probabilities[classification.digit],
            probabilities=classification.probabilities,
            abstained=reason is not None,
            reason=reason,
            model=card.name,
            version=card.version,
            seen=_data_url(picture) if seen else None,
            prediction_id=self._prediction_ids.issue(picture.image) if self._prediction_ids else None,
        )


def abstention_reason(thresholds: Abstention, classification: Classification) -> Reason | None:
    """Decide whether the model abstains.

    Returns:
        `not_a_digit` if the energy is too high, `unsure` if the confidence is too low, otherwise None.

    """
    if thresholds.energy is not None and classification.energy > thresholds.energy:
        return "not_a_digit"
    return "unsure" if classification.confidence < thresholds.confidence else None


def _data_url(picture: PreprocessedPicture) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(picture.image)).decode()
