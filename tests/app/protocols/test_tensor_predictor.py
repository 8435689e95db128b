import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from app.errors import DeadlineExceeded, MalformedRequest, TooLarge
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.artefact import read_card
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.observability.statistics import Statistics
from app.prediction.preprocessor import Preprocessor
from app.protocols.tensor_predictor import TensorPredictor
from imaging import PictureError
from tests.conftest import MODELS

pytestmark = pytest.mark.anyio


class Counting:
    """An engine whose scores are the sum of each image, and which records the sizes of its batches."""

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
async def loaded(engine: Counting) -> AsyncIterator[LoadedVersion]:
    card = read_card(MODELS / "softmax" / "1")
    async with Batcher(engine, queue_size=1000, observer=ServiceMetrics()) as batcher:
        yield LoadedVersion(card, batcher)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
async def tensor_predictor(statistics: Statistics) -> AsyncIterator[TensorPredictor]:
    metrics = ServiceMetrics()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=metrics)
    return TensorPredictor(preprocessor, metrics, statistics, deadline_seconds=5, max_files=2)


async def test_many_images_are_scored_in_full_batches_and_in_order(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, engine: Counting, statistics: Statistics
) -> None:
    images = np.zeros((1000, 28, 28), np.uint8)
    images[:, 0, :4] = np.arange(1000)[:, np.newaxis] // 4
    scores = await tensor_predictor.score(loaded, images)
    assert (scores.probabilities[:, 0] == images.sum(axis=(1, 2))).all()
    assert scores.logits.shape == (1000, 10)
    assert set(engine.batches) == {32, 1000 % 32}
    assert statistics.get("softmax", 1).images == 1000


async def test_a_single_image_is_scored_between_the_batches_of_a_large_request(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, engine: Counting
) -> None:
    many = asyncio.create_task(tensor_predictor.score(loaded, np.zeros((5000, 28, 28), np.uint8)))
    await asyncio.sleep(0)
    await tensor_predictor.score(loaded, np.zeros((1, 28, 28), np.uint8))
    assert not many.done()
    await many


async def test_picture_files_are_preprocessed_and_scored(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, seven: bytes
) -> None:
    scores = await tensor_predictor.score(loaded, [seven, seven])
    assert scores.probabilities[0, 0] == scores.probabilities[1, 0] > 0


async def test_no_picture_too_many_and_broken_pictures_are_refused_and_counted_as_failures(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, seven: bytes, statistics: Statistics
) -> None:
    for files, error in (
        ([], MalformedRequest),
        ([seven] * 3, TooLarge),
        ([b"x"], PictureError),
        ([b""], MalformedRequest),
    ):
        with pytest.raises(error):
            await tensor_predictor.score(loaded, files)
    assert statistics.get("softmax", 1).failures == 4


async def test_scoring_past_the_deadline_raises(loaded: LoadedVersion) -> None:
    metrics = ServiceMetrics()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=metrics)
    tensor_predictor = TensorPredictor(preprocessor, metrics, Statistics(), deadline_seconds=1e-9, max_files=2)
    with pytest.raises(DeadlineExceeded):
        await tensor_predictor.score(loaded, np.zeros((1000, 28, 28), np.uint8))
