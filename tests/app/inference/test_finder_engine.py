import asyncio
import threading
from pathlib import Path

import anyio
import numpy as np
import pytest

from app.errors import BrokenArtefact, FinderUnavailable
from app.inference.finder_engine import FinderMaps, FinderRunner, Pictures, load_finder_engine
from app.settings import EngineKind
from tests.app.tiny_finder import SAVED_MODEL, Darkness, draw_pages
from tests.conftest import newest

pytestmark = pytest.mark.anyio


class Gated(Darkness):
    """Each run waits until the gate is open, and records how many run at once."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.gate = threading.Event()
        self.runs = self.running = self.most = 0

    def __call__(self, pictures: Pictures) -> FinderMaps:
        self.runs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.set()
        assert self.gate.wait(timeout=10)
        self.running -= 1
        return super().__call__(pictures)


@pytest.mark.parametrize("kind", ["openvino", pytest.param("tensorflow", marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_picture_has_its_maps(kind: EngineKind, count: int) -> None:
    pages = draw_pages(count)
    found, expected = load_finder_engine(kind, SAVED_MODEL)(pages), Darkness()(pages)
    assert found.ink.shape == found.cores.shape == (count, 96, 96)
    assert found.ink.dtype == found.cores.dtype == np.float32
    np.testing.assert_allclose(found.ink, expected.ink, atol=1e-6)
    np.testing.assert_allclose(found.cores, expected.cores, atol=1e-6)


def test_earlier_maps_are_not_overwritten() -> None:
    engine = load_finder_engine("openvino", SAVED_MODEL)
    pages = draw_pages(2)
    first = engine(pages[:1])
    copied = first.ink.copy()
    engine(pages[1:])
    np.testing.assert_array_equal(first.ink, copied)


def test_a_folder_without_a_model_raises_broken_artefact(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="cannot be loaded by openvino"):
        load_finder_engine("openvino", tmp_path)


def test_a_model_with_another_signature_raises_broken_artefact() -> None:
    with pytest.raises(BrokenArtefact, match="cannot be loaded by openvino"):
        load_finder_engine("openvino", newest("softmax"))


async def test_callers_of_all_kinds_run_one_after_the_other() -> None:
    engine = Gated()
    runner = FinderRunner(engine)
    pages = draw_pages(3)
    with anyio.fail_after(10):
        tasks = [
            asyncio.create_task(runner.run(pages[:1])),
            asyncio.create_task(asyncio.to_thread(runner.run_blocking, pages[1:])),
        ]
        await asyncio.to_thread(engine.began.wait, 10)
        engine.gate.set()
        first, others = await asyncio.gather(*tasks)
        await runner.close()
    np.testing.assert_array_equal(np.concatenate([first.ink, others.ink]), Darkness()(pages).ink)
    assert engine.most == 1


async def test_the_event_loop_goes_on_during_a_run() -> None:
    engine = Gated()
    runner = FinderRunner(engine)
    with anyio.fail_after(10):
        task = asyncio.create_task(runner.run(draw_pages(1)))
        await asyncio.to_thread(engine.began.wait, 10)
        assert not task.done()
        engine.gate.set()
        await task
        await runner.close()


async def test_pictures_of_a_cancelled_caller_are_skipped() -> None:
    engine = Gated()
    runner = FinderRunner(engine)
    with anyio.fail_after(10):
        first, second = (asyncio.create_task(runner.run(draw_pages(1))) for _ in range(2))
        await asyncio.to_thread(engine.began.wait, 10)
        second.cancel()
        await asyncio.wait([second])
        engine.gate.set()
        await first
        await runner.close()
    assert engine.runs == 1


async def test_closing_finishes_what_waits_and_refuses_what_comes() -> None:
    engine = Gated()
    runner = FinderRunner(engine)
    with anyio.fail_after(10):
        tasks = [asyncio.create_task(runner.run(draw_pages(1))) for _ in range(2)]
        await asyncio.to_thread(engine.began.wait, 10)
        closing = asyncio.create_task(runner.close())
        await asyncio.sleep(0)
        with pytest.raises(FinderUnavailable, match="being unloaded"):
            await runner.run(draw_pages(1))
        with pytest.raises(FinderUnavailable, match="being unloaded"):
            runner.run_blocking(draw_pages(1))
        engine.gate.set()
        await asyncio.gather(closing, *tasks)
    assert engine.runs == 2


async def test_an_error_of_the_engine_reaches_its_caller_and_the_next_run_works() -> None:
    class BrokenOnce(Darkness):
        runs = 0

        def __call__(self, pictures: Pictures) -> FinderMaps:
            self.runs += 1
            if self.runs == 1:
                raise FloatingPointError
            return super().__call__(pictures)

    runner = FinderRunner(BrokenOnce())
    with pytest.raises(FloatingPointError):
        await runner.run(draw_pages(1))
    assert (await runner.run(draw_pages(1))).ink.shape == (1, 96, 96)
    await runner.close()
