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
from app.observability.statistics import Statistics, VersionStatistics
from app.prediction.preprocessor import Preprocessor
from app.protocols.tensor_predictor import Inputs, TensorPredictor
from imaging import PictureError
from tests.conftest import newest

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
    card = read_card(newest("softmax")).model_copy(update={"version": 1})
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


async def score(tensor_predictor: TensorPredictor, loaded: LoadedVersion, inputs: Inputs) -> Scores:
    with tensor_predictor.begin(loaded) as scoring:
        return await scoring.score(inputs)


async def test_many_images_are_scored_in_full_batches_and_in_order(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, engine: Counting, statistics: Statistics
) -> None:
    images = np.zeros((1000, 28, 28), np.uint8)
    images[:, 0, :4] = np.arange(1000)[:, np.newaxis] // 4
    scores = await score(tensor_predictor, loaded, images)
    assert (scores.probabilities[:, 0] == images.sum(axis=(1, 2))).all()
    assert scores.logits.shape == (1000, 10)
    assert set(engine.batches) == {32, 1000 % 32}
    counts = statistics.get("softmax", 1)
    assert (counts.images, counts.executions, counts.stages["success"].count) == (1000, 32, 1)
    assert {size: stages["compute_infer"].count for size, stages in counts.batch_sizes.items()} == {
        32: 31,
        1000 % 32: 1,
    }


async def test_a_batch_of_several_requests_is_counted_once(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, statistics: Statistics
) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    await asyncio.gather(*(score(tensor_predictor, loaded, images) for _ in range(5)))
    counts = statistics.get("softmax", 1)
    assert (counts.images, counts.executions, list(counts.batch_sizes)) == (10, 1, [10])
    for stage in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert counts.stages[stage].count == 5


async def test_the_stages_of_a_request_add_up_to_its_duration(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, statistics: Statistics
) -> None:
    with tensor_predictor.begin(loaded) as scoring:
        await asyncio.sleep(0.02)  # as parsing does
        await scoring.score(np.zeros((40, 28, 28), np.uint8))
        await asyncio.sleep(0.01)  # as writing does
    stages = {stage: duration.nanoseconds for stage, duration in statistics.get("softmax", 1).stages.items()}
    assert stages["compute_input"] >= 20_000_000
    assert stages["compute_output"] >= 10_000_000
    assert stages["compute_infer"] > 0
    parts = sum(each for stage, each in stages.items() if stage not in {"success", "fail"})
    assert parts == pytest.approx(stages["success"], rel=0.05)


async def test_a_request_that_cannot_be_parsed_is_not_counted(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, statistics: Statistics
) -> None:
    with pytest.raises(MalformedRequest), tensor_predictor.begin(loaded):
        raise MalformedRequest
    assert statistics.get("softmax", 1) == VersionStatistics()


async def test_a_single_image_is_scored_between_the_batches_of_a_large_request(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, engine: Counting
) -> None:
    many = asyncio.create_task(score(tensor_predictor, loaded, np.zeros((5000, 28, 28), np.uint8)))
    await asyncio.sleep(0)
    await score(tensor_predictor, loaded, np.zeros((1, 28, 28), np.uint8))
    assert not many.done()
    await many


async def test_picture_files_are_preprocessed_and_scored(
    tensor_predictor: TensorPredictor, loaded: LoadedVersion, seven: bytes
) -> None:
    scores = await score(tensor_predictor, loaded, [seven, seven])
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
            await score(tensor_predictor, loaded, files)
    assert statistics.get("softmax", 1).stages["fail"].count == 4


async def test_scoring_past_the_deadline_raises(loaded: LoadedVersion) -> None:
    metrics = ServiceMetrics()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=metrics)
    tensor_predictor = TensorPredictor(preprocessor, metrics, Statistics(), deadline_seconds=1e-9, max_files=2)
    with pytest.raises(DeadlineExceeded):
        await score(tensor_predictor, loaded, np.zeros((1000, 28, 28), np.uint8))
