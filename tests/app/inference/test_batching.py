import asyncio
import threading
from collections.abc import Iterator

import anyio
import numpy as np
import pytest

from app.errors import NotReady, Overloaded
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores

pytestmark = pytest.mark.anyio


class Brightness:
    """An engine small enough to check by eye: every score of an image is its first pixel."""

    def __init__(self, *, runs_inline: bool = True) -> None:
        self.runs_inline = runs_inline
        self.batches: list[int] = []

    def __call__(self, images: Images) -> Scores:
        self.batches.append(len(images))
        scores = np.repeat(images[:, 0, :1], 10, axis=1).astype(np.float32)
        return Scores(scores, scores)


class Gated(Brightness):
    """The same, but each batch waits in its thread until it is let through."""

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


class Diary:
    """An observer that writes down what it is told."""

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
    return Batcher(engine, queue_size=queue_size, observer=Diary())


@pytest.fixture(params=[True, False], ids=["on the loop", "in a thread"])
def engine(request: pytest.FixtureRequest) -> Iterator[Brightness]:
    return Brightness(runs_inline=request.param)


async def test_each_caller_gets_the_scores_of_its_own_images(engine: Brightness) -> None:
    async with batcher(engine) as queue:
        sizes = [1, 3, 1, 64, 2, 1, 7]
        answers = await asyncio.gather(*(queue.score(image(place, size)) for place, size in enumerate(sizes)))
    for place, (size, answer) in enumerate(zip(sizes, answers, strict=True)):
        assert answer.probabilities.shape == answer.logits.shape == (size, 10)
        assert (answer.probabilities == place).all()


async def test_what_arrives_together_is_scored_together() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        await asyncio.gather(*(queue.score(image(1)) for _ in range(100)))
    assert engine.batches == [32, 32, 32, 4]


async def test_what_comes_in_while_the_first_is_read_is_scored_with_it() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await asyncio.sleep(0)  # in the turn after which the loop looks what has come in
        await asyncio.gather(first, queue.score(image(2)))
    assert engine.batches == [2]


async def test_full_batches_do_not_wait_for_each_other_s_turn_of_the_loop() -> None:
    engine = Brightness()
    async with batcher(engine) as queue:
        callers = [asyncio.create_task(queue.score(image(1))) for _ in range(96)]
        await callers[0]
        assert engine.batches == [32, 32, 32]
        await asyncio.gather(*callers)


async def test_what_arrives_while_the_engine_is_busy_makes_the_next_batch() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        others = [asyncio.create_task(queue.score(image(2))) for _ in range(5)]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *others)
    assert engine.batches == [1, 5]


async def test_a_large_request_is_scored_in_parts_and_answered_in_order(engine: Brightness) -> None:
    images = np.concatenate([image(brightness) for brightness in range(200)])
    async with batcher(engine) as queue:
        answer = await queue.score(images)
    assert (answer.logits[:, 0] == np.arange(200)).all()
    assert engine.batches == [32] * 6 + [8]


async def test_a_caller_who_left_is_skipped_and_harms_no_neighbour() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        leaver, neighbour = (asyncio.create_task(queue.score(image(brightness))) for brightness in (2, 3))
        await asyncio.sleep(0)
        leaver.cancel()
        engine.gate.set()
        assert (await first).logits[0, 0] == 1
        assert (await neighbour).logits[0, 0] == 3
    assert engine.batches == [1, 1]


async def test_a_caller_who_leaves_while_its_batch_runs_harms_no_neighbour() -> None:
    engine = Gated()
    async with batcher(engine) as queue:
        leaver, neighbour = (asyncio.create_task(queue.score(image(brightness))) for brightness in (2, 3))
        await anyio.to_thread.run_sync(engine.began.wait)
        leaver.cancel()
        engine.gate.set()
        assert (await neighbour).logits[0, 0] == 3


@pytest.mark.parametrize("runs_inline", [True, False])
async def test_a_batch_that_raises_gives_each_caller_the_error_and_the_next_one_runs(*, runs_inline: bool) -> None:
    queue = batcher(Broken(runs_inline=runs_inline))
    for _ in range(2):
        errors = await asyncio.gather(*(queue.score(image(1)) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in errors] == [FloatingPointError] * 3
    await queue.close()


async def test_past_the_bound_a_request_is_refused_at_once_and_what_waits_is_answered() -> None:
    engine = Gated()
    async with batcher(engine, queue_size=2) as queue:
        first = asyncio.create_task(queue.score(image(1)))
        await anyio.to_thread.run_sync(engine.began.wait)
        waiting = asyncio.create_task(queue.score(image(2, count=2)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 pictures are waiting"):
            await queue.score(image(3))
        engine.gate.set()
        assert len((await first).logits) == 1
        assert len((await waiting).logits) == 2
        assert (await queue.score(image(4))).logits[0, 0] == 4


async def test_closing_answers_everyone_and_takes_nothing_new(engine: Brightness) -> None:
    queue = batcher(engine)
    waiting = [asyncio.create_task(queue.score(image(1))) for _ in range(70)]
    await asyncio.sleep(0)
    await queue.close()
    assert all(answer.logits[0, 0] == 1 for answer in await asyncio.gather(*waiting))
    with pytest.raises(NotReady):
        await queue.score(image(1))


async def test_the_observer_is_told_of_waits_and_batches() -> None:
    diary = Diary()
    async with Batcher(Brightness(), queue_size=10, observer=diary) as queue:
        await asyncio.gather(*(queue.score(image(1)) for _ in range(3)))
    assert diary.depths[0] == 3
    assert diary.waits == 3
    assert diary.batches == [3]


async def test_what_is_scored_now_goes_past_the_queue() -> None:
    engine, diary = Brightness(), Diary()
    async with Batcher(engine, queue_size=1, observer=diary) as queue:
        noted: list[int] = []
        queue.note = lambda images, scores: noted.append(len(images))
        waiting = asyncio.create_task(queue.score(image(1)))
        await asyncio.sleep(0)
        assert (queue.score_inline(image(2, 3)).logits == 2).all()
        assert not waiting.done()
        assert (await waiting).logits[0, 0] == 1
    assert (engine.batches, diary.batches, noted) == ([3, 1], [3, 1], [3, 1])
    assert diary.depths[0] == 4


async def test_what_cannot_be_scored_now_is_told_to_the_caller() -> None:
    async with batcher(Broken()) as queue:
        with pytest.raises(FloatingPointError):
            queue.score_inline(image(1))
    with pytest.raises(NotReady):
        queue.score_inline(image(1))
