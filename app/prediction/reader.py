"""Reads all digits in a picture: finds them, scores them and puts them in reading order. Knows no HTTP."""

from collections.abc import Sequence
from typing import NamedTuple

from app.deadline import Deadline
from app.errors import ServiceError
from app.feedback.prediction_ids import PredictionIds
from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LoadedFinder
from app.observability.metrics import ServiceMetrics
from app.prediction.abstention import abstention_reason
from app.prediction.digit_choice import Choice, choose_digits
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import FoundDigit
from app.prediction.digit_search import DigitSearch
from app.prediction.predictor import data_url
from app.prediction.preprocessor import Preprocessor
from app.prediction.reading_order import Box, order_lines
from app.schemas import ReadDigit, Reading, ReadLine
from imaging import PictureError, Scene

MAX_DIGITS = 400
"""The most digits in a reading: four sheets of a hundred."""
_UNTRUSTED = "?"
"""Stands for a digit of which the model abstained, in a text."""


class _Models(NamedTuple):
    """The versions that answer one request. They are not freed before its end."""

    classifier: DigitClassifier
    finder: LoadedFinder


class Reader:
    """Reads the digits in one or several pictures, within a deadline."""

    def __init__(  # noqa: PLR0913 - the parts of the service that it combines
        self,
        catalogue: ModelCatalogue,
        preprocessor: Preprocessor,
        digit_search: DigitSearch,
        metrics: ServiceMetrics,
        *,
        deadline_seconds: float,
        prediction_ids: PredictionIds | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._preprocessor = preprocessor
        self._metrics = metrics
        self._digit_search = digit_search
        self._deadline = Deadline(deadline_seconds)
        self._prediction_ids = prediction_ids  # None if corrections are not collected

    async def read(self, data: bytes, model: str, version: int | None, *, seen: bool) -> Reading:
        """Read the digits in the picture in `data`.

        Raises:
            ServiceError: if the model or the finder cannot answer, or the picture would wait too long.
            PictureError: if the picture cannot be decoded.

        """
        models = self._find_models(model, version)
        with self._deadline.enforced():
            return await self._read(models, data, seen=seen)

    async def read_several(
        self, pictures: Sequence[bytes], model: str, version: int | None, *, seen: bool
    ) -> list[Reading | ServiceError | PictureError]:
        """Read the digits in several pictures, one after the other.

        Returns:
            For each picture its reading, or the error of reading it.

        Raises:
            ServiceError: if the model or the finder cannot answer.

        """
        models = self._find_models(model, version)
        outcomes: list[Reading | ServiceError | PictureError] = []
        with self._deadline.enforced():
            for data in pictures:
                try:
                    outcomes.append(await self._read(models, data, seen=seen))
                except (ServiceError, PictureError) as error:  # it must not affect the other pictures
                    outcomes.append(error)
        return outcomes

    def _find_models(self, model: str, version: int | None) -> _Models:
        classifier = DigitClassifier.of(self._catalogue.find(model, version), self._catalogue)
        return _Models(classifier, self._catalogue.find_finder())

    async def _read(self, models: _Models, data: bytes, *, seen: bool) -> Reading:
        scene = await self._preprocessor.decode_scene(data)
        candidates = await self._digit_search.find(scene.pixels, models.finder, models.classifier, thorough=True)
        reading = await self._digit_search.run_in_thread(self._build, models, scene, candidates, seen=seen)
        reasons = [digit.reason for line in reading.lines for digit in line.digits]
        self._metrics.count_reading(reading.model, reading.version, reasons)
        return reading

    def _build(self, models: _Models, scene: Scene, candidates: Sequence[Choice], *, seen: bool) -> Reading:
        """Choose among the candidates and put them in order. For many digits that takes tens of milliseconds."""
        card, thresholds = models.classifier.version.card, models.classifier.thresholds
        digits = choose_digits(candidates, thresholds)
        order = order_lines([digit.box for digit, _ in digits])
        lines = [
            self._read_line([self._read_digit(thresholds, scene, *digits[index], seen=seen) for index in line])
            for line in _first(order, MAX_DIGITS)
        ]
        return Reading(
            text="\n".join(line.text for line in lines),
            lines=lines,
            width=scene.width,
            height=scene.height,
            model=card.name,
            version=card.version,
            finder_version=models.finder.card.version,
            truncated=len(digits) > MAX_DIGITS,
        )

    @staticmethod
    def _read_line(digits: list[ReadDigit]) -> ReadLine:
        return ReadLine(
            text="".join(_UNTRUSTED if digit.abstained else str(digit.digit) for digit in digits),
            confidence=min(digit.confidence for digit in digits),
            digits=digits,
        )

    def _read_digit(
        self, thresholds: Abstention, scene: Scene, digit: FoundDigit, classification: Classification, *, seen: bool
    ) -> ReadDigit:
        reason = abstention_reason(thresholds, classification)
        return ReadDigit(
            digit=classification.digit,
            confidence=classification.probabilities[classification.digit],
            probabilities=classification.probabilities,
            box=_to_picture(digit.box, scene),
            abstained=reason is not None,
            reason=reason,
            seen=data_url(digit.image) if seen else None,
            prediction_id=self._prediction_ids.issue(digit.image) if self._prediction_ids else None,
        )


def _first(lines: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """Return the lines with their first `count` elements, all lines together, without the lines that become empty."""
    kept = []
    for line in lines:
        if count <= 0:
            break
        kept.append(list(line[:count]))
        count -= len(line)
    return kept


def _to_picture(box: Box, scene: Scene) -> tuple[int, int, int, int]:
    """Return a box of the scene in the pixels of the picture itself: at least one pixel, and inside the picture."""
    scene_height, scene_width = scene.pixels.shape[:2]
    left, width = _to_pixels(box[0], box[2], scene.width / scene_width, scene.width)
    top, height = _to_pixels(box[1], box[3], scene.height / scene_height, scene.height)
    return left, top, width, height


def _to_pixels(start: float, length: float, scale: float, size: int) -> tuple[int, int]:
    """Scale an interval; return its start and length in whole pixels, with 0 <= start < start + length <= size."""
    first = min(max(round(start * scale), 0), size - 1)
    end = min(max(round((start + length) * scale), first + 1), size)
    return first, end - first
