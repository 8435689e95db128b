"""Scores the tensors or picture files of a request, within a deadline. Knows no HTTP and no protocol."""

import time
from collections.abc import Sequence

import numpy as np

from app.deadline import Deadline
from app.errors import MalformedRequest
from app.inference.engines import LARGEST_BATCH, Images
from app.inference.scores import Scores
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.statistics import Statistics
from app.prediction.preprocessor import Preprocessor
from app.protocols.picture_files import check_count
from imaging import PreprocessedPicture

_CHUNK_IMAGES = 4 * LARGEST_BATCH
"""Images of one request in the queue at a time, so that other requests wait for a few batches only."""

Inputs = Images | Sequence[bytes]
"""Images, uint8 (n, 28, 28), or n picture files."""


class TensorPredictor:
    """Scores as many images as a body holds, or a few picture files."""

    def __init__(
        self,
        preprocessor: Preprocessor,
        metrics: ServiceMetrics,
        statistics: Statistics,
        *,
        deadline_seconds: float,
        max_files: int,
    ) -> None:
        self._preprocessor = preprocessor
        self._metrics = metrics
        self._statistics = statistics
        self._deadline = Deadline(deadline_seconds)
        self.max_files = max_files
        """The maximum number of picture files in a request."""

    async def score(self, loaded: LoadedVersion, inputs: Inputs) -> Scores:
        """Score n >= 1 images or picture files with one version.

        Raises:
            ServiceError: if the inputs are empty or too many, or the version cannot score them.
            PictureError: if a picture cannot be preprocessed.

        """
        version = loaded.card.name, loaded.card.version
        started = time.perf_counter()
        try:
            with self._deadline.enforced():
                images = inputs if isinstance(inputs, np.ndarray) else await self._preprocess(inputs)
                scores = await _score_in_parts(loaded, images)
        except Exception:
            self._statistics.record_failure(*version, seconds=time.perf_counter() - started)
            raise
        self._statistics.record_success(*version, images=len(images), seconds=time.perf_counter() - started)
        digits = np.bincount(scores.probabilities.argmax(axis=1), minlength=10)
        self._metrics.count_predicted_digits(*version, digits.tolist())
        return scores

    async def _preprocess(self, files: Sequence[bytes]) -> Images:
        if not files:
            message = "There is no picture. Send at least one."
            raise MalformedRequest(message)
        check_count(len(files), self.max_files)
        return np.stack([_image(outcome) for outcome in await self._preprocessor.preprocess_several(files)])


def _image(outcome: PreprocessedPicture | Exception) -> Images:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.image


async def _score_in_parts(loaded: LoadedVersion, images: Images) -> Scores:
    if len(images) <= _CHUNK_IMAGES:
        return await loaded.batcher.score(images)
    parts = [
        await loaded.batcher.score(images[start : start + _CHUNK_IMAGES])
        for start in range(0, len(images), _CHUNK_IMAGES)
    ]
    return Scores.concatenate(parts)
