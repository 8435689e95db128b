"""From a picture to a prediction: read it, have a model score it, say what both mean together. Knows no HTTP."""

import asyncio
import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.card import Abstention
from app.errors import DeadlineExceeded, ServiceError
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
        self._deadline_seconds = deadline_seconds
        self._receipts = receipts  # none where predictions cannot be corrected

    async def predict(self, data: bytes, model: str, version: int | None, *, seen: bool) -> Prediction:
        """Say which digit the picture in `data` shows.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        served = self._repository.find(model, version)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                reading = await self._reader.read(data)
                scores = await served.batcher.score(reading.image[np.newaxis])
        except TimeoutError as error:
            raise DeadlineExceeded(self._deadline_seconds) from error
        return self._answer(served, reading, scores.probabilities[0], scores.logits[0], seen=seen)

    async def predict_several(
        self, pictures: Sequence[bytes], model: str, version: int | None, *, seen: bool
    ) -> list[Prediction | ServiceError | PictureError]:
        """Say the same for several, in their order, with an error in the place of a picture that cannot be read."""
        served = self._repository.find(model, version)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                outcomes = [await self._try_to_read(data) for data in pictures]
                readings = [outcome for outcome in outcomes if isinstance(outcome, Reading)]
                if not readings:
                    return [outcome for outcome in outcomes if not isinstance(outcome, Reading)]
                scores = await served.batcher.score(np.stack([reading.image for reading in readings]))
        except TimeoutError as error:
            raise DeadlineExceeded(self._deadline_seconds) from error
        rows = zip(scores.probabilities, scores.logits, strict=True)
        return [
            self._answer(served, outcome, *next(rows), seen=seen) if isinstance(outcome, Reading) else outcome
            for outcome in outcomes
        ]

    async def _try_to_read(self, data: bytes) -> Reading | ServiceError | PictureError:
        try:
            return await self._reader.read(data)
        except (ServiceError, PictureError) as error:
            return error

    def _answer(
        self,
        served: ServedVersion,
        reading: Reading,
        probabilities: NDArray[np.float32],  # [10]
        logits: NDArray[np.float32],  # [10]
        *,
        seen: bool,
    ) -> Prediction:
        card = served.card
        digit = int(probabilities.argmax())
        confidence = float(probabilities[digit])
        reason = reading.finding or doubt(card.abstention, confidence, logits)
        self._telemetry.predicted(card.name, card.version, digit, reason)
        return Prediction(
            digit=digit,
            confidence=round(confidence, 6),
            probabilities=probabilities.astype(np.float64).round(6).tolist(),
            abstained=reason is not None,
            reason=reason,
            model=card.name,
            version=card.version,
            seen=_data_url(reading) if seen else None,
            prediction_id=self._receipts.issue(reading.image) if self._receipts else None,
        )


def doubt(thresholds: Abstention, confidence: float, logits: NDArray[np.float32]) -> Reason | None:
    """Say why a model's answer should not be trusted, if so.

    Args:
        thresholds: of the model.
        confidence: the probability of the best digit.
        logits: float32 of shape (10,).

    Returns:
        `not_a_digit` if the energy -log(sum(exp(logits))) is too high (Liu et al., 2020, Energy-based
        Out-of-distribution Detection), `unsure` if the confidence is too low.

    """
    if thresholds.energy is not None and -float(np.logaddexp.reduce(logits)) > thresholds.energy:
        return "not_a_digit"
    return "unsure" if confidence < thresholds.confidence else None


def _data_url(reading: Reading) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(reading.image)).decode()
