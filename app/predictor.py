"""From a picture to a prediction: read it, have a model score it, say what both mean together. Knows no HTTP."""

import base64
from collections.abc import Sequence

import numpy as np

from app.card import Abstention
from app.deadline import Deadline
from app.engine import Scores
from app.errors import ServiceError
from app.reader import Reader
from app.receipts import Receipts
from app.repository import Repository
from app.schemas import Prediction, Reason
from app.telemetry import Telemetry
from app.versions import ServedVersion
from imaging import PictureError, Reading, encode_png


class Predictor:
    """Answers for pictures, one or several, within a deadline."""

    def __init__(
        self,
        repository: Repository,
        reader: Reader,
        telemetry: Telemetry,
        *,
        deadline_seconds: float,
        receipts: Receipts | None = None,
    ) -> None:
        self._repository = repository
        self._reader = reader
        self._telemetry = telemetry
        self._deadline = Deadline(deadline_seconds)
        self._receipts = receipts  # none where predictions cannot be corrected

    async def predict(self, data: bytes, model: str, version: int | None, *, seen: bool) -> Prediction:
        """Say which digit the picture in `data` shows.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        served = self._repository.find(model, version)
        with self._deadline.kept():
            reading = await self._reader.read(data)
            scores = await served.batcher.score(reading.image[np.newaxis])
        return self._answer(served, [reading], scores, seen=seen)[0]

    async def predict_several(
        self, pictures: Sequence[bytes], model: str, version: int | None, *, seen: bool
    ) -> list[Prediction | ServiceError | PictureError]:
        """Say the same for several, in their order, with an error in the place of a picture that cannot be read."""
        served = self._repository.find(model, version)
        with self._deadline.kept():
            outcomes = [await self._try_to_read(data) for data in pictures]
            readings = [outcome for outcome in outcomes if isinstance(outcome, Reading)]
            if not readings:
                return [outcome for outcome in outcomes if not isinstance(outcome, Reading)]
            scores = await served.batcher.score(np.stack([reading.image for reading in readings]))
        answers = iter(self._answer(served, readings, scores, seen=seen))
        return [next(answers) if isinstance(outcome, Reading) else outcome for outcome in outcomes]

    async def _try_to_read(self, data: bytes) -> Reading | ServiceError | PictureError:
        try:
            return await self._reader.read(data)
        except (ServiceError, PictureError) as error:
            return error

    def _answer(
        self, served: ServedVersion, readings: Sequence[Reading], scores: Scores, *, seen: bool
    ) -> list[Prediction]:
        """Say what the scores of n readings mean."""
        card = served.card
        probabilities = scores.probabilities.astype(np.float64).round(6).tolist()
        digits = scores.probabilities.argmax(axis=1).tolist()
        doubts = doubt(card.abstention, scores)
        predictions = []
        for reading, digit, row, unsure in zip(readings, digits, probabilities, doubts, strict=True):
            reason = reading.finding or unsure
            self._telemetry.predicted(card.name, card.version, digit, reason)
            predictions.append(
                Prediction(
                    digit=digit,
                    confidence=row[digit],
                    probabilities=row,
                    abstained=reason is not None,
                    reason=reason,
                    model=card.name,
                    version=card.version,
                    seen=_data_url(reading) if seen else None,
                    prediction_id=self._receipts.issue(reading.image) if self._receipts else None,
                )
            )
        return predictions


def doubt(thresholds: Abstention, scores: Scores) -> list[Reason | None]:
    """Say why a model's answers to n images should not be trusted, those that should not.

    Args:
        thresholds: of the model.
        scores: of the images.

    Returns:
        For each `not_a_digit` if the energy -log(sum(exp(logits))) is too high (Liu et al., 2020, Energy-based
        Out-of-distribution Detection), `unsure` if the probability of the best digit is too low.

    """
    confidences = scores.probabilities.max(axis=1).tolist()
    reasons: list[Reason | None] = ["unsure" if each < thresholds.confidence else None for each in confidences]
    if thresholds.energy is None:
        return reasons
    energies = (-np.logaddexp.reduce(scores.logits, axis=1)).tolist()
    strange = [energy > thresholds.energy for energy in energies]
    return ["not_a_digit" if unlike else reason for unlike, reason in zip(strange, reasons, strict=True)]


def _data_url(reading: Reading) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(reading.image)).decode()
