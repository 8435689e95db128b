"""From a picture to a prediction: read it, have a model score it, say what both mean together. Knows no HTTP."""

import asyncio
import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.card import Abstention
from app.deadline import Deadline
from app.errors import ServiceError
from app.reader import Reader
from app.receipts import Receipts
from app.repository import Repository
from app.schemas import Prediction, Reason
from app.scores import Scores, Verdict
from app.telemetry import Telemetry
from app.versions import ServedVersion
from imaging import PictureError, Reading, encode_png, is_brief


class Begun(NamedTuple):
    """A picture that has been read, and is to be scored."""

    served: ServedVersion
    reading: Reading
    scores: asyncio.Future[Scores]


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
        return self._answer(served, reading, scores.verdicts[0], seen=seen)

    def find_brief(self, data: bytes, model: str, version: int | None) -> ServedVersion | None:
        """Find which version would answer, if the picture in `data` is read and scored at once; or else None.

        Raises:
            ServiceError: if there is no such version.

        """
        served = self._repository.find(model, version)
        return served if served.batcher.is_brief and is_brief(data) else None

    def begin(self, served: ServedVersion, data: bytes) -> Begun:
        """Do what `predict` does as far as the queue. No deadline is kept: all that is waited for is the event loop.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        reading = self._reader.read_brief(data)
        return Begun(served, reading, served.batcher.submit(reading.image[np.newaxis]))

    def finish(self, begun: Begun, *, seen: bool) -> Prediction:
        """Do the rest, now that the scores are there; raises what the engine raised."""
        return self._answer(begun.served, begun.reading, begun.scores.result().verdicts[0], seen=seen)

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
        verdicts = iter(scores.verdicts)
        return [
            self._answer(served, outcome, next(verdicts), seen=seen) if isinstance(outcome, Reading) else outcome
            for outcome in outcomes
        ]

    async def _try_to_read(self, data: bytes) -> Reading | ServiceError | PictureError:
        try:
            return await self._reader.read(data)
        except (ServiceError, PictureError) as error:
            return error

    def _answer(self, served: ServedVersion, reading: Reading, verdict: Verdict, *, seen: bool) -> Prediction:
        """Say what a reading and a verdict mean together."""
        card = served.card
        reason = reading.finding or doubt(card.abstention, verdict)
        self._telemetry.predicted(card.name, card.version, verdict.digit, reason)
        return Prediction(
            digit=verdict.digit,
            confidence=verdict.probabilities[verdict.digit],
            probabilities=verdict.probabilities,
            abstained=reason is not None,
            reason=reason,
            model=card.name,
            version=card.version,
            seen=_data_url(reading) if seen else None,
            prediction_id=self._receipts.issue(reading.image) if self._receipts else None,
        )


def doubt(thresholds: Abstention, verdict: Verdict) -> Reason | None:
    """Say why a model's answer to an image should not be trusted, if so.

    Returns:
        `not_a_digit` if the energy is too high, `unsure` if the confidence is too low.

    """
    if thresholds.energy is not None and verdict.energy > thresholds.energy:
        return "not_a_digit"
    return "unsure" if verdict.confidence < thresholds.confidence else None


def _data_url(reading: Reading) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(reading.image)).decode()
