"""From a picture to a prediction: read it, have a model score it, say what both mean together. Knows no HTTP."""

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
from app.model_repository.repository import ModelRepository
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.preprocessor import Preprocessor
from app.schemas import Prediction, Reason
from imaging import PictureError, PreprocessedPicture, encode_png, is_cheap_to_decode


class PredictionRequest(NamedTuple):
    """A picture that waits to be read and scored."""

    picture: bytes
    seen: bool
    """Whether its sender wants to see what the model saw."""
    since: float
    """When it came, as `time.perf_counter` has it."""


class Predictor:
    """Answers for pictures, one or several, within a deadline."""

    def __init__(
        self,
        repository: ModelRepository,
        preprocessor: Preprocessor,
        metrics: ServiceMetrics,
        *,
        deadline_seconds: float,
        prediction_ids: PredictionIds | None = None,
    ) -> None:
        self._repository = repository
        self._preprocessor = preprocessor
        self._metrics = metrics
        self._deadline = Deadline(deadline_seconds)
        self._receipts = prediction_ids  # none where predictions cannot be corrected

    async def predict(self, data: bytes, model: str, version: int | None, *, seen: bool) -> Prediction:
        """Say which digit the picture in `data` shows.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        served = self._repository.find(model, version)
        with self._deadline.enforced():
            reading = await self._preprocessor.read(data)
            scores = await served.batcher.score(reading.image[np.newaxis])
        return self._answer(served, reading, scores.classifications[0], seen=seen)

    async def predict_large(self, served: ServedVersion, question: PredictionRequest) -> Prediction:
        """Answer a question whose picture was `NotBrief`; raises what `predict` does."""
        with self._deadline.enforced():
            reading = await self._preprocessor.preprocess_large(question.picture)
            scores = await served.batcher.score(reading.image[np.newaxis])
        return self._answer(served, reading, scores.classifications[0], seen=question.seen)

    def find_inline(self, data: bytes, model: str, version: int | None) -> ServedVersion | None:
        """Find which version would answer, if the picture in `data` is read and scored at once; or else None.

        Raises:
            ServiceError: if there is no such version.

        """
        served = self._repository.find(model, version)
        return served if served.batcher.runs_inline and is_cheap_to_decode(data) else None

    def predict_inline(
        self, served: ServedVersion, questions: Sequence[PredictionRequest]
    ) -> list[Prediction | Exception]:
        """Answer all of at most LARGEST_BATCH questions at once, of which `find_brief` found that this version would.

        In the place of a picture that cannot be read is what is wrong with it, or `NotBrief` if it has to be read
        elsewhere: `predict_large` answers that question. No deadline is kept: nothing is waited for.

        Raises:
            NotReady: if the version has been taken down.
            Exception: whatever the engine raised.

        """
        began = time.perf_counter()
        for question in questions:
            self._metrics.observe_queue_time(began - question.since)
        outcomes = self._preprocessor.preprocess_inline([question.picture for question in questions])
        images = [outcome.image for outcome in outcomes if isinstance(outcome, PreprocessedPicture)]
        classifications = served.batcher.score_inline(np.stack(images)).classifications if images else []
        return self._answers(served, outcomes, classifications, [question.seen for question in questions])

    async def predict_several(
        self, pictures: Sequence[bytes], model: str, version: int | None, *, seen: bool
    ) -> list[Prediction | Exception]:
        """Say the same for several, in their order; in the place of a picture that cannot be read is what is wrong."""
        served = self._repository.find(model, version)
        with self._deadline.enforced():
            outcomes = await self._preprocessor.read_several(pictures)
            for outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, ServiceError | PictureError):
                    raise outcome  # a bug of ours, which is to be logged
            images = [outcome.image for outcome in outcomes if isinstance(outcome, PreprocessedPicture)]
            classifications = (await served.batcher.score(np.stack(images))).classifications if images else []
        return self._answers(served, outcomes, classifications, [seen] * len(pictures))

    def _answers(
        self,
        served: ServedVersion,
        outcomes: Sequence[PreprocessedPicture | Exception],
        classifications: Sequence[Classification],
        seen: Sequence[bool],
    ) -> list[Prediction | Exception]:
        """Answer for each outcome of reading, given the verdicts on those that are readings."""
        remaining = iter(classifications)
        return [
            self._answer(served, outcome, next(remaining), seen=wanted)
            if isinstance(outcome, PreprocessedPicture)
            else outcome
            for outcome, wanted in zip(outcomes, seen, strict=True)
        ]

    def _answer(
        self, served: ServedVersion, reading: PreprocessedPicture, classification: Classification, *, seen: bool
    ) -> Prediction:
        """Say what a reading and a verdict mean together."""
        card = served.card
        reason = reading.finding or abstention_reason(card.abstention, classification)
        self._metrics.count_prediction(card.name, card.version, classification.digit, reason)
        return Prediction(
            digit=classification.digit,
            confidence=classification.probabilities[classification.digit],
            probabilities=classification.probabilities,
            abstained=reason is not None,
            reason=reason,
            model=card.name,
            version=card.version,
            seen=_data_url(reading) if seen else None,
            prediction_id=self._receipts.issue(reading.image) if self._receipts else None,
        )


def abstention_reason(thresholds: Abstention, classification: Classification) -> Reason | None:
    """Say why a model's answer to an image should not be trusted, if so.

    Returns:
        `not_a_digit` if the energy is too high, `unsure` if the confidence is too low.

    """
    if thresholds.energy is not None and classification.energy > thresholds.energy:
        return "not_a_digit"
    return "unsure" if classification.confidence < thresholds.confidence else None


def _data_url(reading: PreprocessedPicture) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(reading.image)).decode()
