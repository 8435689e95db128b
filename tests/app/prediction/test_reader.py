"""The reader with the digits that a test lays out, and an engine whose answer is the brightness of the image."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Abstention
from app.model_repository.versions import LoadedFinder, LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.digit_finder import FoundDigit
from app.prediction.digit_search import DigitSearch
from app.prediction.finder_maps import RunFinder
from app.prediction.preprocessor import Preprocessor
from app.prediction.reader import MAX_DIGITS, Reader
from app.settings import Settings
from imaging import Scene, UnsupportedPicture
from tests.app.dark_blobs import replace_search
from tests.conftest import MODELS

pytestmark = pytest.mark.anyio

UNSURE = 100
"""Added to the brightness of an image whose digit is not to be trusted."""


class Brightness:
    """An engine for which the brightness of an image is its digit."""

    runs_inline = True

    def __call__(self, images: Images) -> Scores:
        values = images[:, 0, 0].astype(int)
        probabilities = np.full((len(images), 10), 0.01, np.float32)
        probabilities[np.arange(len(images)), values % UNSURE] = np.where(values >= UNSURE, 0.4, 0.91)
        return Scores(probabilities, np.full((len(images), 10), 20, np.float32))


class StubCatalogue:
    """A catalogue with one classifier and one finder."""

    def __init__(self, batcher: Batcher) -> None:
        card = SimpleNamespace(name="brightness", version=3, abstention=Abstention(confidence=0.5, energy=-10))
        self._classifier = LoadedVersion(card, batcher)  # type: ignore[arg-type]
        self._finder = LoadedFinder(SimpleNamespace(version=2), SimpleNamespace(run_blocking=None))  # type: ignore[arg-type]

    def find(self, model: str, version: int | None) -> LoadedVersion:
        return self._classifier

    def find_finder(self) -> LoadedFinder:
        return self._finder


class StubPreprocessor:
    """A preprocessor that decodes every picture to a white scene of half the size of the picture."""

    async def decode_scene(self, data: bytes) -> Scene:
        if data == b"no picture":
            raise UnsupportedPicture
        if data == b"bug":
            raise ZeroDivisionError
        return Scene(np.full((100, 150, 3), 255, np.uint8), 300, 200)


class Layout:
    """Stands for the finding: the digits that a test has laid out."""

    def __init__(self) -> None:
        self.digits: list[FoundDigit] = []

    def __call__(self, scene_pixels: NDArray[np.uint8], run: RunFinder, *, thorough: bool) -> list[FoundDigit]:
        return self.digits

    def add(self, value: int, left: float, top: float, width: float = 10, height: float = 15) -> None:
        image = np.full((28, 28), value, np.uint8)
        image[-1, -1] = 255  # no ink at all is no digit
        self.digits.append(FoundDigit(image, (left, top, width, height), 0.9, len(self.digits), 0, 0.0))


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> Layout:
    layout = Layout()
    replace_search(monkeypatch, layout)
    return layout


class SilentObserver:
    """Receives what the batcher reports, and keeps nothing."""

    def observe_queue_size(self, images: int) -> None: ...
    def observe_queue_time(self, seconds: float) -> None: ...
    def observe_batch(self, images: int, seconds: float) -> None: ...


@pytest.fixture
async def reader(anyio_backend: str, metrics: ServiceMetrics) -> AsyncIterator[Reader]:
    async with Batcher(Brightness(), queue_size=2000, observer=SilentObserver()) as batcher:
        preprocessor: Preprocessor = StubPreprocessor()  # type: ignore[assignment]
        catalogue = StubCatalogue(batcher)
        search = DigitSearch(metrics, Settings(models_dir=MODELS))
        yield Reader(catalogue, preprocessor, search, metrics, deadline_seconds=10)  # type: ignore[arg-type]
        search.close()


async def test_digits_are_read_in_order_with_a_question_mark_for_what_is_not_trusted(
    reader: Reader, layout: Layout
) -> None:
    layout.add(4, 40, 50)
    layout.add(7, 20, 10)
    layout.add(2 + UNSURE, 40, 12)
    layout.add(1, 60, 9)
    reading = await reader.read(b"", "brightness", None, seen=False)
    assert reading.text == "7?1\n4"
    assert [[digit.digit for digit in line.digits] for line in reading.lines] == [[7, 2, 1], [4]]
    assert [digit.reason for digit in reading.lines[0].digits] == [None, "unsure", None]
    assert [line.confidence for line in reading.lines] == pytest.approx([0.4, 0.91])
    assert (reading.model, reading.version, reading.finder_version) == ("brightness", 3, 2)


async def test_boxes_are_whole_pixels_within_the_picture(reader: Reader, layout: Layout) -> None:
    layout.add(1, 10.2, 20.4, 9.9, 15.1)
    layout.add(2, -3, -4, 20, 30)
    layout.add(3, 140, 90, 30, 30)
    layout.add(4, 150, 100, 0, 0)
    reading = await reader.read(b"", "brightness", None, seen=False)
    boxes = {digit.digit: digit.box for line in reading.lines for digit in line.digits}
    assert boxes == {1: (20, 41, 20, 30), 2: (0, 0, 34, 52), 3: (280, 180, 20, 20), 4: (299, 199, 1, 1)}
    assert (reading.width, reading.height) == (300, 200)


@pytest.mark.parametrize("count", [MAX_DIGITS, MAX_DIGITS + 1, 650])
async def test_the_first_digits_in_reading_order_are_kept(reader: Reader, layout: Layout, count: int) -> None:
    for index in reversed(range(count)):
        layout.add(index // 30 % 10, index % 30 * 20, index // 30 * 30)
    reading = await reader.read(b"", "brightness", None, seen=False)
    assert reading.truncated == (count > MAX_DIGITS)
    assert len(reading.text.replace("\n", "")) == min(count, MAX_DIGITS)
    assert reading.text.split("\n")[:13] == [str(row % 10) * 30 for row in range(13)]


async def test_a_picture_without_digits_has_an_empty_text(reader: Reader, layout: Layout) -> None:
    reading = await reader.read(b"", "brightness", None, seen=True)
    assert (reading.text, reading.lines, reading.truncated) == ("", [], False)
    assert not layout.digits


async def test_errors_of_pictures_take_their_places_and_bugs_are_raised(reader: Reader, layout: Layout) -> None:
    layout.add(1, 0, 0)
    outcomes = await reader.read_several([b"1", b"no picture", b"2"], "brightness", None, seen=False)
    assert [getattr(outcome, "text", type(outcome)) for outcome in outcomes] == ["1", UnsupportedPicture, "1"]
    assert await reader.read_several([], "brightness", None, seen=False) == []
    with pytest.raises(ZeroDivisionError):
        await reader.read_several([b"1", b"bug"], "brightness", None, seen=False)


async def test_readings_are_counted_with_the_reasons_of_their_digits(
    reader: Reader, layout: Layout, metrics: ServiceMetrics
) -> None:
    for value in (1, 2 + UNSURE, 3):
        layout.add(value, value % UNSURE * 20, 0)
    for _ in range(2):
        await reader.read(b"", "brightness", None, seen=False)
    lines = metrics.exposition("text/plain")[0].decode().splitlines()
    for line in (
        'digitserve_readings_total{model="brightness",version="3"} 2.0',
        'digitserve_read_digits_total{model="brightness",reason="",version="3"} 4.0',
        'digitserve_read_digits_total{model="brightness",reason="unsure",version="3"} 2.0',
        'digitserve_stage_duration_seconds_count{stage="find"} 2.0',
    ):
        assert line in lines


async def test_many_readings_at_once_get_their_own_digits(reader: Reader, layout: Layout) -> None:
    layout.add(5, 0, 0)
    readings = await asyncio.gather(*(reader.read(b"", "brightness", None, seen=False) for _ in range(2)))
    assert [reading.text for reading in readings] == ["5", "5"]
