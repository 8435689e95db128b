"""Predicts picture files with the service's own code, in this process and without HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

from anyio.from_thread import start_blocking_portal

from app.model_repository.lifespan import open_repository
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_search import DigitSearch
from app.prediction.predictor import Predictor
from app.prediction.preprocessor import Preprocessor
from app.prediction.reader import Reader
from app.prediction.second_look import SecondLook
from app.schemas import Prediction
from app.settings import Settings

_START_SECONDS = 60.0
_CHUNK = 16


class Answer(NamedTuple):
    """What a service says about one picture."""

    digit: int
    confidence: float
    reason: str | None
    """Why the prediction is not to be trusted; None if it is."""


Predict = Callable[[Sequence[bytes]], list[Answer]]
"""Predicts several picture files, in their order."""
Read = Callable[[bytes], list[str]]
"""Reads the lines of digits in one picture file."""


class Service(NamedTuple):
    """What a service can do."""

    predict: Predict
    read: Read


@contextmanager
def running_service(model: str = "convnet", look: type[SecondLook] = SecondLook) -> Iterator[Service]:
    """Run the service's code in a thread, with the default settings.

    Args:
        model: of which the highest version in `MODELS_DIR` predicts.
        look: how it looks again at pictures.

    """
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_running_parts(look)) as parts:
        yield Service(
            lambda pictures: portal.call(_predict, parts.predictor, pictures, model),
            lambda data: portal.call(_read, parts.reader, data, model),
        )


class _Parts(NamedTuple):
    predictor: Predictor
    reader: Reader


async def _read(reader: Reader, data: bytes, model: str) -> list[str]:
    reading = await reader.read(data, model, None, seen=False)
    return ["".join(str(digit.digit) for digit in line.digits) for line in reading.lines]


async def _predict(predictor: Predictor, pictures: Sequence[bytes], model: str) -> list[Answer]:
    answers: list[Answer] = []
    for start in range(0, len(pictures), _CHUNK):
        outcomes = await predictor.predict_several(pictures[start : start + _CHUNK], model, None, seen=False)
        answers += [_answer(outcome) for outcome in outcomes]
    return answers


def _answer(outcome: Prediction | Exception) -> Answer:
    if isinstance(outcome, Exception):
        raise outcome
    return Answer(outcome.digit, float(outcome.confidence), outcome.reason)


@asynccontextmanager
async def _running_parts(look: type[SecondLook]) -> AsyncIterator[_Parts]:
    settings = Settings(longest_wait_seconds=_START_SECONDS)
    metrics = ServiceMetrics()
    async with open_repository(settings, metrics, None) as repository:
        await repository.wait_for_first_refresh(seconds=_START_SECONDS)
        catalogue = repository.catalogue
        preprocessor = Preprocessor.from_settings(settings, metrics)
        search = DigitSearch(metrics, settings)
        second_look = look(catalogue, search)
        predictor = Predictor(catalogue, preprocessor, second_look, metrics, deadline_seconds=_START_SECONDS)
        yield _Parts(predictor, Reader(catalogue, preprocessor, search, metrics, deadline_seconds=_START_SECONDS))
        search.close()
