import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import Overloaded
from app.inference.finder_engine import FinderRunner
from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.model_repository.versions import LoadedFinder
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import find_digits
from app.prediction.digit_search import DigitSearch
from app.settings import Settings
from tests.app.dark_blobs import draw_page, replace_search
from tests.app.tiny_finder import Darkness
from tests.conftest import MODELS

pytestmark = pytest.mark.anyio

GREY = np.asarray(draw_page(["17"]).convert("L"))


class StubClassifier:
    """Takes each image for a 7, and an image with much ink for no digit."""

    thresholds = Abstention(confidence=0.5, energy=-5)

    async def classify_in_turns(self, images: NDArray[np.uint8]) -> list[Classification]:
        return [Classification(7, 0.99, [0.0] * 10, -4.0 if image.mean() > MUCH_INK else -9.0) for image in images]


MUCH_INK = 60
CLASSIFIER: DigitClassifier = StubClassifier()  # type: ignore[assignment]


@pytest.fixture
async def finder(anyio_backend: str) -> AsyncIterator[LoadedFinder]:
    runner = FinderRunner(Darkness())
    yield LoadedFinder(SimpleNamespace(version=1), runner)  # type: ignore[arg-type]
    await runner.close()


@pytest.fixture
async def search(anyio_backend: str, metrics: ServiceMetrics) -> AsyncIterator[DigitSearch]:
    search = DigitSearch(metrics, Settings(models_dir=MODELS, longest_wait_seconds=0.015))
    yield search
    search.close()


async def test_digits_are_found_in_a_grey_picture_as_in_one_with_colours(
    search: DigitSearch, finder: LoadedFinder
) -> None:
    rgb = np.dstack([GREY] * 3)
    expected = find_digits(rgb, Darkness(), thorough=False).digits
    assert len(expected) >= 2
    for pixels in (GREY, rgb):
        found = await search.find(pixels, finder, CLASSIFIER, thorough=False)
        assert [digit.box for digit, _ in found] == [digit.box for digit in expected]


async def test_searches_are_measured(search: DigitSearch, finder: LoadedFinder, metrics: ServiceMetrics) -> None:
    for _ in range(3):
        await search.find(GREY, finder, CLASSIFIER, thorough=False)
    exposition = metrics.exposition("text/plain")[0].decode()
    assert 'digitserve_stage_duration_seconds_count{stage="find"} 3.0' in exposition


class HeldSearch:
    """Stands for the search, which does not end before it may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.started = 0

    def __call__(self, pixels: NDArray[np.uint8], run: object, *, thorough: bool) -> list[object]:
        self.started += 1
        assert self.may_end.wait(30)
        return []


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldSearch:
    held = HeldSearch()
    replace_search(monkeypatch, held)
    return held


async def test_a_picture_that_would_wait_too_long_is_refused_and_the_event_loop_runs_on(
    search: DigitSearch, finder: LoadedFinder, held: HeldSearch
) -> None:
    tasks = [asyncio.create_task(search.find(GREY, finder, CLASSIFIER, thorough=True)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="before its digits are found"):
        await search.find(GREY, finder, CLASSIFIER, thorough=True)
    held.may_end.set()
    assert await asyncio.gather(*tasks) == [[], [], [], []]
    assert await search.find(GREY, finder, CLASSIFIER, thorough=True) == []


async def test_searches_that_wait_are_dropped_at_the_end(
    search: DigitSearch, finder: LoadedFinder, held: HeldSearch
) -> None:
    tasks = [asyncio.create_task(search.find(GREY, finder, CLASSIFIER, thorough=True)) for _ in range(2)]
    await asyncio.sleep(0)
    search.close()
    held.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert await tasks[0] == []
    assert held.started == 1


async def test_an_error_of_the_finder_is_raised(search: DigitSearch) -> None:
    runner = FinderRunner(lambda pictures: 1 / 0)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await search.find(GREY, LoadedFinder(SimpleNamespace(version=1), runner), CLASSIFIER, thorough=False)  # type: ignore[arg-type]
    await runner.close()
