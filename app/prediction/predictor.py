"""Predicts the digits of pictures: preprocesses them, scores the images and decides on abstention. Knows no HTTP."""

import base64
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.deadline import Deadline
from app.errors import Overloaded, ServiceError
from app.feedback.prediction_ids import PredictionIds
from app.inference.scores import Classification
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.preprocessor import Preprocessor
from app.prediction.second_look import Interpretation, SecondLook, first_look
from app.schemas import Prediction
from imaging import ExpensivePicture, PictureError, PreprocessedPicture, encode_png, is_cheap_to_decode


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

    def __init__(  # noqa: PLR0913 - the parts of the service that it combines
        self,
        catalogue: ModelCatalogue,
        preprocessor: Preprocessor,
        second_look: SecondLook,
        metrics: ServiceMetrics,
        *,
        deadline_seconds: float,
        prediction_ids: PredictionIds | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._preprocessor = preprocessor
        self._second_look = second_look
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
            interpretation = await self._interpret(loaded, picture)
        return self._prediction(loaded, interpretation, seen=seen)

    async def predict_deferred(self, loaded: LoadedVersion, pending: PendingPicture) -> Prediction:
        """Predict the digit of a picture that is expensive to decode or to look at; raises what `predict` does."""
        with self._deadline.enforced():
            picture = await self._preprocessor.preprocess(pending.data)
            interpretation = await self._interpret(loaded, picture)
        return self._prediction(loaded, interpretation, seen=pending.seen)

    async def _interpret(self, loaded: LoadedVersion, picture: PreprocessedPicture) -> Interpretation:
        """Score a picture, and look at it again if it needs that."""
        classifier = self._classifier(loaded)
        (classification,) = await classifier.classify(picture.image[np.newaxis])
        return await self._second_look.interpret(classifier, picture, classification)

    def _classifier(self, loaded: LoadedVersion) -> DigitClassifier:
        return DigitClassifier.of(loaded, self._catalogue)

    def find_version_for_inline(self, data: bytes, model: str, version: int | None) -> LoadedVersion | None:
        """Find the version for `predict_inline`; None if the picture in `data`, or the engine, takes too long.

        Raises:
            ServiceError: if the model cannot answer.

        """
        loaded = self._catalogue.find(model, version)
        # All versions run in engines of one kind, so the version that may stand in with its energies runs inline too.
        return loaded if loaded.batcher.runs_inline and is_cheap_to_decode(data) else None

    def predict_inline(self, loaded: LoadedVersion, pictures: Sequence[PendingPicture]) -> list[Prediction | Exception]:
        """Predict the digits of at most LARGEST_BATCH pictures on the event loop, without a task or thread.

        There is no deadline, because nothing is awaited.

        Args:
            loaded: the version from `find_version_for_inline`.
            pictures: the pictures.

        Returns:
            For each picture its prediction, or the error of preprocessing it. `ExpensivePicture` means that it is
            expensive to decode, or needs a second look: `predict_deferred` has to predict it.

        Raises:
            NotReady: if the version has been unloaded.
            Exception: whatever the engine raised.

        """
        started = time.perf_counter()
        for pending in pictures:
            self._metrics.observe_queue_time(started - pending.received_at)
        outcomes = self._preprocessor.preprocess_inline([pending.data for pending in pictures])
        images = [outcome.image for outcome in outcomes if isinstance(outcome, PreprocessedPicture)]
        classifier = self._classifier(loaded)
        classifications = classifier.classify_inline(np.stack(images)) if images else []
        remaining = iter(classifications)
        return [
            self._predict_at_first_look(classifier, outcome, next(remaining), seen=pending.seen)
            if isinstance(outcome, PreprocessedPicture)
            else outcome
            for outcome, pending in zip(outcomes, pictures, strict=True)
        ]

    def _predict_at_first_look(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification, *, seen: bool
    ) -> Prediction | ExpensivePicture:
        if self._second_look.is_needed(classifier, picture, classification):
            return ExpensivePicture()
        return self._prediction(classifier.version, first_look(classifier, picture, classification), seen=seen)

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
            classifier = self._classifier(loaded)
            classifications = iter(await classifier.classify(np.stack(images)) if images else [])
            interpretations = [
                await self._try_to_interpret(classifier, outcome, next(classifications))
                if isinstance(outcome, PreprocessedPicture)
                else outcome
                for outcome in outcomes
            ]
        return [
            self._prediction(loaded, interpretation, seen=seen)
            if isinstance(interpretation, Interpretation)
            else interpretation
            for interpretation in interpretations
        ]

    async def _try_to_interpret(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> Interpretation | ServiceError:
        try:
            return await self._second_look.interpret(classifier, picture, classification)
        except Overloaded as error:  # it must not affect the other pictures
            return error

    def _prediction(self, loaded: LoadedVersion, interpretation: Interpretation, *, seen: bool) -> Prediction:
        card = loaded.card
        image, classification, reason = interpretation
        self._metrics.count_prediction(card.name, card.version, classification.digit, reason)
        return Prediction(
            digit=classification.digit,
            confidence=classification.probabilities[classification.digit],
            probabilities=classification.probabilities,
            abstained=reason is not None,
            reason=reason,
            model=card.name,
            version=card.version,
            seen=data_url(image) if seen else None,
            prediction_id=self._prediction_ids.issue(image) if self._prediction_ids else None,
        )


def data_url(image: NDArray[np.uint8]) -> str:
    """Return the image that a model received, uint8 (28, 28), as a data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()
