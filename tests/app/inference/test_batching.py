import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import anyio
import numpy as np
import pytest

from app.errors import NotReady, Overloaded
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores

pytestmark = pytest.mark.anyio


class Brightness:
    """An engine whose scores are easy to check: every score of an image is its first pixel."""

    def __init__(self, *, runs_inline: bool = True) -> None:
        self.runs_inline = runs_inline
        self.batches: list[int] = []

    def __call__(self, images: Images) -> Scores:
        self.batches.append(len(images))
        scores = np.repeat(images[:, 0, :1], 10, axis=1).astype(np.float32)
        return Scores(scores, scores)


class Gated(Brightness):
    """Runs in a thread, and each batch waits until the gate is open."""

    def __init__(self) -> None:
        super().__init__(runs_inline=False)
        self.began = threading.Event()
        self.gate = threading.Event()

    def __call__(self, images: Images) -> Scores:
        self.began.set()
        assert self.gate.wait(timeout=10)
        return super().__call__(images)


class Broken(Brightness):
    def __call__(self, images: Images) -> Scores:
        raise FloatingPointError(len(images))


class RecordingObserver:
    """An observer that records its calls."""

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.waits = 0
        self.batches: list[int] = []

    def observe_queue_size(self, images: int) -> None:
        self.depths.append(images)

    def observe_queue_time(self, seconds: float) -> None:
        self.waits += 1

    def observe_batch(self, images: int, seconds: float) -> None:
        self.batches.append(images)


def image(brightness: int, count: int = 1) -> Images:
    return np.full((count, 28, 28), brightness, np.uint8)


def batcher(engine: Brightness, queue_size: int = 1000) -> Batcher:
    return Batcher(engine, queue_size=queue_size, observer=RecordingObserver())


@pytest.fixture(params=[True, False], ids=["on the loop", "in a thread"])
def engine(request: pytest.FixtureRequest) -> Iterator[Brightness]:
    return Brightness(runs_inline=request.param)


async def test_each_caller_gets_the_scores_of_its_own_images(engine: Brightness) -> None:
    async with batcher(engine) as queue:
        sizes = [1, 3, 1, 64, 2, 1, 7]
        results = await asyncio.gather(*(queue.score(image(place, size)) for place, size in enumerate(sizes)))
    for place, (size, result) in enumerate(zip(sizes, results, strict=True)):
        assert result.probabilities.shape == result.logits.shape == (size, 10)
        assert (result.probabilities == place).all()


async def test_images_that_arrive_together_are_scored_in_full_batches() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        await asyncio.gather(*(queue.score(image(1)) for _ in range(100)))
    assert engine.batches == [32, 32, 32, 4]


async def test_images_that_arrive_one_turn_of_the_loop_later_join_the_batch() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await asyncio.sleep(0)  # one turn of the loop later
        await asyncio.gather(first, queue.score(image(2)))
    assert engine.batches == [2]


@pytest.mark.parametrize(("iterations", "batches"), [(10, [2]), (2, [1, 1])])
async def test_a_batch_waits_for_as_many_turns_of_the_loop_as_its_first_caller_says(
    iterations: int, batches: list[int]
) -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1), iterations=iterations))
        for _ in range(8):
            await asyncio.sleep(0)
        await asyncio.gather(first, queue.score(image(2)))
    assert engine.batches == batches


async def test_full_batches_run_in_one_turn_of_the_loop() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        callers = [asyncio.create_task(queue.score(image(1))) for _ in range(96)]
        await callers[0]
        assert engine.batches == [32, 32, 32]
        await asyncio.gather(*callers)


async def test_images_that_arrive_during_a_batch_form_the_next_batch() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        others = [asyncio.create_task(queue.score(image(2))) for _ in range(5)]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *others)
    assert engine.batches == [1, 5]


async def test_images_that_are_scored_in_turns_let_those_of_others_go_in_between() -> None:
    engine = Brightness()
    images = np.concatenate([image(brightness) for brightness in range(70)])
    async with batcher(engine) as queue:
        in_turns = asyncio.create_task(queue.score_in_turns(images))
        await asyncio.sleep(0)
        other = await queue.score(image(5))
        assert not in_turns.done()
        scores = await in_turns
    assert (other.logits == 5).all()
    assert (scores.logits[:, 0] == np.arange(70)).all()
    assert len(engine.batches) > 3


async def test_more_images_than_a_batch_are_scored_in_several_batches_in_order(engine: Brightness) -> None:
    images = np.concatenate([image(brightness) for brightness in range(200)])
    async with batcher(engine) as queue:
        scores = await queue.score(images)
    assert (scores.logits[:, 0] == np.arange(200)).all()
    assert engine.batches == [32] * 6 + [8]


async def test_a_caller_cancelled_in_the_queue_is_skipped_and_affects_no_other() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        cancelled, other = (asyncio.create_task(queue.score(image(brightness))) for brightness in (2, 3))
        await asyncio.sleep(0)
        cancelled.cancel()
        engine.gate.set()
        assert (await first).logits[0, 0] == 1
        assert (await other).logits[0, 0] == 3
    assert engine.batches == [1, 1]


async def test_a_caller_cancelled_during_its_batch_affects_no_other() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        cancelled, other = (asyncio.create_task(queue.score(image(brightness))) for brightness in (2, 3))
        await anyio.to_thread.run_sync(engine.began.wait)
        cancelled.cancel()
        engine.gate.set()
        assert (await other).logits[0, 0] == 3


@pytest.mark.parametrize("runs_inline", [True, False])
async def test_each_caller_of_a_failed_batch_gets_the_error_and_the_next_batch_runs(*, runs_inline: bool) -> None:
    queue = batcher(Broken(runs_inline=runs_inline))
    for _ in range(2):
        errors = await asyncio.gather(*(queue.score(image(1)) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in errors] == [FloatingPointError] * 3
    await queue.close()


async def test_a_full_queue_refuses_new_images_and_the_queued_ones_are_scored() -> None:
    engine = Gated()
    async with batcher(engine, queue_size=2) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        waiting = asyncio.create_task(queue.score(image(2, count=2)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 images are waiting"):
            await queue.score(image(3))
        engine.gate.set()
        assert len((await first).logits) == 1
        assert len((await waiting).logits) == 2
        assert (await queue.score(image(4))).logits[0, 0] == 4


async def test_close_scores_what_is_queued_and_refuses_new_images(engine: Brightness) -> None:
    queue = batcher(engine)
    waiting = [asyncio.create_task(queue.score(image(1))) for _ in range(70)]
    await asyncio.sleep(0)
    await queue.close()
    assert all(scores.logits[0, 0] == 1 for scores in await asyncio.gather(*waiting))
    with pytest.raises(NotReady):
        await queue.score(image(1))


async def test_the_observer_receives_waits_and_batches() -> None:
    observer = RecordingObserver()
    async with Batcher(Brightness(), queue_size=10, observer=observer) as queue:
        await asyncio.gather(*(queue.score(image(1)) for _ in range(3)))
    assert observer.depths[0] == 3
    assert observer.waits == 3
    assert observer.batches == [3]


async def test_score_inline_bypasses_the_queue() -> None:
    engine, observer = Brightness(), RecordingObserver()
    async with Batcher(engine, queue_size=1, observer=observer) as queue:
        scored: list[int] = []
        queue.on_scored = lambda images, scores: scored.append(len(images))
        waiting = asyncio.create_task(queue.score(image(1)))
        await asyncio.sleep(0)
        assert (queue.score_inline(image(2, 3)).logits == 2).all()
        assert not waiting.done()
        assert (await waiting).logits[0, 0] == 1
    assert (engine.batches, observer.batches, scored) == ([3, 1], [3, 1], [3, 1])
    assert observer.depths[0] == 4


async def test_score_inline_raises_the_error_of_the_engine_and_not_ready_after_close() -> None:
    async with batcher(Broken()) as queue:
        with pytest.raises(FloatingPointError):
            queue.score_inline(image(1))
    with pytest.raises(NotReady):
        queue.score_inline(image(1))


async def test_the_callers_are_told_of_their_batches(engine: Brightness) -> None:
    calls: list[tuple[str, int, bool]] = []

    def on_batch(caller: str, images: int, seconds: float, is_first: bool) -> None:  # noqa: FBT001 - a callback
        assert seconds >= 0
        calls.append((caller, images, is_first))

    async with batcher(engine) as queue:
        await asyncio.gather(
            queue.score(image(1, count=3)),
            queue.score(image(2, count=4), on_batch=partial(on_batch, "a")),
            queue.score(image(3, count=40), on_batch=partial(on_batch, "b")),
            queue.score(image(4), on_batch=partial(on_batch, "c")),
        )
    assert calls == [("a", 7, True), ("b", 32, True), ("b", 9, True), ("c", 9, False)]


async def test_a_caller_is_not_told_of_a_batch_that_failed() -> None:
    async with batcher(Broken()) as queue:
        with pytest.raises(FloatingPointError):
            await queue.score(image(1), on_batch=pytest.fail)
