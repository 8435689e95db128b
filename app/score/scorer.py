"""Scores pictures in this process, with the code of `/predict` and `/read`. Knows no sources and no tables."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from app.inference.engines import LARGEST_BATCH
from app.model_repository.artefact import find_models
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.control import ModelControl
from app.model_repository.mirror import models_on_disk
from app.model_repository.repository import ModelRepository
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_search import DigitSearch
from app.prediction.predictor import Predictor
from app.prediction.preprocessing_process import limited_time
from app.prediction.preprocessor import Preprocessor, empty_file_error
from app.prediction.reader import Reader
from app.prediction.second_look import SecondLook
from app.schemas import Prediction, Reading
from app.score.job import Job
from app.settings import Settings
from imaging import (
    PictureError,
    PreprocessedPicture,
    Scene,
    UnreadablePicture,
    decode_scene,
    preprocess_pictures,
)

BATCH_SECONDS = 120.0
"""The longest time for a batch, which usually takes less than two seconds. Then the system kills the process."""

T = TypeVar("T")

Row = dict[str, Any]
"""The answer to a picture by the names of its fields, or its `error`."""

_NO_DEADLINE = 1e9
"""In seconds. Nobody waits for an answer."""
_BATCH_BYTES = 1024**2
"""The files of a batch. The pixels of 32 photographs would take 40 MB more than those of four."""


class Scorer:
    """The models of a job, and the parts of the service that use them. As a context manager, frees them at the end.

    Runs an event loop of its own, so it is called where none runs.
    """

    def __init__(self, job: Job) -> None:
        """Load the models.

        Raises:
            ServiceError: if one of them cannot be loaded.

        """
        self._job = job
        self._runner = asyncio.Runner()
        self._resources = AsyncExitStack()
        self._folders = ExitStack()
        try:
            settings = job.settings.model_copy(update={"model_versions": job.versions})
            self._runner.run(self._load(self._folders.enter_context(models_on_disk(settings))))
        except BaseException:
            self.close()
            raise

    async def _load(self, settings: Settings) -> None:
        metrics = ServiceMetrics()
        catalogue = await self._load_models(settings, metrics)
        preprocessor = _InProcessPreprocessor.from_settings(settings, metrics)
        search = DigitSearch(metrics, settings)
        self._resources.callback(search.close)
        second_look = SecondLook(catalogue, search)
        self._predictor = Predictor(catalogue, preprocessor, second_look, metrics, deadline_seconds=_NO_DEADLINE)
        self._reader = Reader(catalogue, preprocessor, search, metrics, deadline_seconds=_NO_DEADLINE)

    async def _load_models(self, settings: Settings, metrics: ServiceMetrics) -> ModelCatalogue:
        """Load the versions of the job and no others.

        Raises:
            ServiceError: if one of them cannot be loaded.

        """
        with tempfile.TemporaryDirectory(prefix="digitserve-control-") as folder:
            control = ModelControl(Path(folder))
            for name in set(find_models(Path(settings.models_dir))) - self._job.versions.keys():
                control.issue(name, "unload")
            repository = ModelRepository(settings, metrics, control)
            self._resources.push_async_callback(repository.close)
            await repository.refresh()
        for name, version in self._job.versions.items():
            repository.catalogue.find_any(name, version)
        return repository.catalogue

    def close(self) -> None:
        """Free the models, and end the threads."""
        self._runner.run(self._resources.aclose())
        self._runner.close()
        self._folders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, files: Sequence[bytes | Exception]) -> list[Row]:
        """Score picture files.

        Args:
            files: each file, or why it cannot be read.

        Returns:
            The row of each file.

        """
        return self._runner.run(self._score(files))

    async def _score(self, files: Sequence[bytes | Exception]) -> list[Row]:
        pictures = [file for file in files if isinstance(file, bytes)]
        answer, job = (self._reader.read_several if self._job.read else self._predictor.predict_several), self._job
        outcomes: list[Prediction | Reading | Exception] = []
        for batch in _batches(pictures):
            with limited_time(BATCH_SECONDS):
                outcomes += await answer(batch, job.model, job.version, seen=False)
        remaining = iter(outcomes)
        return [_row(next(remaining) if isinstance(file, bytes) else file) for file in files]


def _batches(files: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield files in batches of at most LARGEST_BATCH files and _BATCH_BYTES, or of one file."""
    batch, size = list[bytes](), 0
    for file in files:
        if batch and (len(batch) == LARGEST_BATCH or size + len(file) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += len(file)
    if batch:
        yield batch


def _row(outcome: Prediction | Reading | Exception) -> Row:
    if isinstance(outcome, Prediction):
        return vars(outcome)
    if isinstance(outcome, Reading):
        return outcome.model_dump()
    return {"error": str(outcome)}


class _InProcessPreprocessor(Preprocessor):
    """Preprocesses all pictures in this process: no request waits, and a process that dies is replaced."""

    async def preprocess_several(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        preprocessed = iter(preprocess_pictures(filter(None, pictures), max_pixels=self._max_pixels))
        return [_expected(next(preprocessed)) if data else empty_file_error() for data in pictures]

    async def decode_scene(self, data: bytes) -> Scene:
        if not data:
            raise empty_file_error()
        outcome = _outcome(lambda: decode_scene(data, max_pixels=self._max_pixels))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _outcome(function: Callable[[], T]) -> T | Exception:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - becomes the error of the picture
        return _expected(error)


def _expected(outcome: T) -> T | PictureError:
    """Turn an unexpected error, which is a bug, into one of the picture: the other pictures are to be scored."""
    if isinstance(outcome, Exception) and not isinstance(outcome, PictureError):
        return UnreadablePicture(f"An unexpected error, {type(outcome).__name__}: {outcome}. Please report it.")
    return outcome
