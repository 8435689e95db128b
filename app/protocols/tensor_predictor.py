"""From tensors or picture files to scores, within a deadline. Knows no HTTP and no protocol."""

import time
from collections.abc import Sequence

import numpy as np

from app.deadline import Deadline
from app.errors import MalformedRequest
from app.inference.engines import LARGEST_BATCH, Images
from app.inference.scores import Scores
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.statistics import Statistics
from app.prediction.preprocessor import Preprocessor
from app.protocols.tensors import check_files
from imaging import PreprocessedPicture

_AT_ONCE = 4 * LARGEST_BATCH
"""Images that one request has in the queue at a time, so that the next request waits for a few batches and no more."""

Inputs = Images | Sequence[bytes]
"""What is to be scored: images uint8 (n, 28, 28), or n picture files."""


class TensorPredictor:
    """Scores what the tensor protocols bring: as many images as a body holds, or a few picture files."""

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
        """The most picture files that one request may have."""

    async def score(self, served: ServedVersion, inputs: Inputs) -> Scores:
        """Score n >= 1 images or picture files with one version.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        version = served.card.name, served.card.version
        started = time.perf_counter()
        try:
            with self._deadline.enforced():
                images = inputs if isinstance(inputs, np.ndarray) else await self._read(inputs)
                scores = await _score_in_turn(served, images)
        except Exception:
            self._statistics.record_failure(*version, seconds=time.perf_counter() - started)
            raise
        self._statistics.record_success(*version, images=len(images), seconds=time.perf_counter() - started)
        digits = np.bincount(scores.probabilities.argmax(axis=1), minlength=10)
        self._metrics.count_predictions(*version, digits.tolist())
        return scores

    async def _read(self, files: Sequence[bytes]) -> Images:
        if not files:
            message = "There is no picture. Send at least one."
            raise MalformedRequest(message)
        check_files(len(files), self.max_files)
        return np.stack([_image(outcome) for outcome in await self._preprocessor.read_several(files)])


def _image(outcome: PreprocessedPicture | Exception) -> Images:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.image


async def _score_in_turn(served: ServedVersion, images: Images) -> Scores:
    if len(images) <= _AT_ONCE:
        return await served.batcher.score(images)
    parts = [await served.batcher.score(images[at : at + _AT_ONCE]) for at in range(0, len(images), _AT_ONCE)]
    return Scores.concatenate(parts)
