"""Scores the tensors or picture files of a request, within a deadline. Knows no HTTP and no protocol."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from app.deadline import Deadline
from app.errors import MalformedRequest
from app.inference.batching import ITERATIONS
from app.inference.engines import LARGEST_BATCH, Images
from app.inference.scores import Scores
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.statistics import Execution, RequestTimes, Statistics
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

    @contextmanager
    def begin(self, loaded: LoadedVersion, *, iterations: int = ITERATIONS) -> Iterator["ScoringRequest"]:
        """Begin a request: within the context it is parsed, its inputs are scored once, and the response is written.

        At the end of the context the request is counted: as a success with the durations of these stages, or as a
        failure if its inputs could not be scored. A request that cannot be parsed is not counted. `iterations` is that
        of `Batcher.score`.
        """
        request = ScoringRequest(loaded, self._preprocess, self._deadline, iterations)
        version = loaded.card.name, loaded.card.version
        try:
            yield request
        except Exception:
            if request.is_parsed:
                self._statistics.record_failure(*version, seconds=request.seconds())
            raise
        if request.scores is not None:
            images, times = len(request.scores.probabilities), request.times()
            self._statistics.record_success(*version, images=images, times=times, executions=request.executions)
            digits = np.bincount(request.scores.probabilities.argmax(axis=1), minlength=10)
            self._metrics.count_predicted_digits(*version, digits.tolist())

    async def _preprocess(self, files: Sequence[bytes]) -> Images:
        if not files:
            message = "There is no picture. Send at least one."
            raise MalformedRequest(message)
        check_count(len(files), self.max_files)
        return np.stack([_image(outcome) for outcome in await self._preprocessor.preprocess_several(files)])


class ScoringRequest:
    """One request to one version, and how long its stages took."""

    def __init__(
        self,
        loaded: LoadedVersion,
        preprocess: Callable[[Sequence[bytes]], Awaitable[Images]],
        deadline: Deadline,
        iterations: int,
    ) -> None:
        self._iterations = iterations
        self._loaded = loaded
        self._preprocess = preprocess
        self._deadline = deadline
        self._began_at = self._preprocessed_at = self._scored_at = time.perf_counter()
        self.is_parsed = False
        """Whether it has inputs to score."""
        self.scores: Scores | None = None
        """Of the inputs; None until they are scored."""
        self.executions: list[Execution] = []
        """The batches in which they were scored."""

    async def score(self, inputs: Inputs) -> Scores:
        """Score n >= 1 images or picture files.

        Raises:
            ServiceError: if the inputs are empty or too many, or the version cannot score them.
            PictureError: if a picture cannot be preprocessed.

        """
        self.is_parsed = True
        with self._deadline.enforced():
            images = inputs if isinstance(inputs, np.ndarray) else await self._preprocess(inputs)
            self._preprocessed_at = time.perf_counter()
            self.scores = await self._score_in_parts(images)
        self._scored_at = time.perf_counter()
        return self.scores

    async def _score_in_parts(self, images: Images) -> Scores:
        score = partial(self._loaded.batcher.score, on_batch=self._add_execution, iterations=self._iterations)
        if len(images) <= _CHUNK_IMAGES:
            return await score(images)
        parts = [await score(images[start : start + _CHUNK_IMAGES]) for start in range(0, len(images), _CHUNK_IMAGES)]
        return Scores.concatenate(parts)

    def _add_execution(self, images: int, seconds: float, is_first: bool) -> None:  # noqa: FBT001 - a callback
        self.executions.append(Execution(images, seconds, is_counted=is_first))

    def seconds(self) -> float:
        """Return how long ago it began."""
        return time.perf_counter() - self._began_at

    def times(self) -> RequestTimes:
        """Return how long each stage took, when the response has been written."""
        now = time.perf_counter()
        engine_seconds = sum(execution.seconds for execution in self.executions)
        return RequestTimes(
            total=now - self._began_at,
            compute_input=self._preprocessed_at - self._began_at,
            queue=max(0.0, self._scored_at - self._preprocessed_at - engine_seconds),
            compute_output=now - self._scored_at,
        )


def _image(outcome: PreprocessedPicture | Exception) -> Images:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.image
