import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from app.errors import DeadlineExceeded, MalformedRequest, TooLarge
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.artefact import read_card
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.statistics import Statistics
from app.prediction.preprocessor import Preprocessor
from app.protocols.tensor_predictor import TensorPredictor
from imaging import PictureError
from tests.conftest import MODELS

pytestmark = pytest.mark.anyio


class Counting:
    """An engine that answers with the sum of each image, and notes how many images it is given at once."""

    runs_inline = True

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, images: Images) -> Scores:
        self.batches.append(len(images))
        sums = images.sum(axis=(1, 2), dtype=np.float32)[:, np.newaxis]
        return Scores(np.tile(sums, 10), np.zeros((len(images), 10), np.float32))


@pytest.fixture
def engine() -> Counting:
    return Counting()


@pytest.fixture
async def served(engine: Counting) -> AsyncIterator[ServedVersion]:
    card = read_card(MODELS / "softmax" / "1")
    async with Batcher(engine, queue_size=1000, observer=ServiceMetrics()) as batcher:
        yield ServedVersion(card, batcher)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
async def tensor_predictor(statistics: Statistics) -> AsyncIterator[TensorPredictor]:
    metrics = ServiceMetrics()
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=metrics)
    return TensorPredictor(reader, metrics, statistics, deadline_seconds=5, max_files=2)


async def test_many_images_are_scored_in_full_batches_and_come_back_in_order(
    tensor_predictor: TensorPredictor, served: ServedVersion, engine: Counting, statistics: Statistics
) -> None:
    images = np.zeros((1000, 28, 28), np.uint8)
    images[:, 0, :4] = np.arange(1000)[:, np.newaxis] // 4
    scores = await tensor_predictor.score(served, images)
    assert (scores.probabilities[:, 0] == images.sum(axis=(1, 2))).all()
    assert scores.logits.shape == (1000, 10)
    assert set(engine.batches) == {32, 1000 % 32}
    assert statistics.get("softmax", 1).images == 1000


async def test_one_picture_gets_its_turn_between_the_batches_of_many(
    tensor_predictor: TensorPredictor, served: ServedVersion, engine: Counting
) -> None:
    many = asyncio.create_task(tensor_predictor.score(served, np.zeros((5000, 28, 28), np.uint8)))
    await asyncio.sleep(0)
    await tensor_predictor.score(served, np.zeros((1, 28, 28), np.uint8))
    assert not many.done()
    await many


async def test_pictures_are_read_first(tensor_predictor: TensorPredictor, served: ServedVersion, seven: bytes) -> None:
    scores = await tensor_predictor.score(served, [seven, seven])
    assert scores.probabilities[0, 0] == scores.probabilities[1, 0] > 0


async def test_no_picture_too_many_and_broken_ones_are_refused(
    tensor_predictor: TensorPredictor, served: ServedVersion, seven: bytes, statistics: Statistics
) -> None:
    for files, error in (
        ([], MalformedRequest),
        ([seven] * 3, TooLarge),
        ([b"x"], PictureError),
        ([b""], MalformedRequest),
    ):
        with pytest.raises(error):
            await tensor_predictor.score(served, files)
    assert statistics.get("softmax", 1).failures == 4


async def test_past_the_deadline(served: ServedVersion) -> None:
    metrics = ServiceMetrics()
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=metrics)
    tensor_predictor = TensorPredictor(reader, metrics, Statistics(), deadline_seconds=1e-9, max_files=2)
    with pytest.raises(DeadlineExceeded):
        await tensor_predictor.score(served, np.zeros((1000, 28, 28), np.uint8))
