import threading
import weakref

import numpy as np
import pytest

from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.finder_engine import FinderRunner
from app.inference.scores import Scores
from app.model_repository.card import Card, FinderCard
from app.model_repository.draining import DrainingVersions
from app.model_repository.loader import Loader
from app.model_repository.versions import LoadedFinder, LoadedVersion
from app.observability.metrics import ServiceMetrics
from tests.app.tiny_finder import Darkness, draw_pages

pytestmark = pytest.mark.anyio


class Blank:
    """An engine that records in which thread it is freed."""

    def __init__(self, freed_in: list[str], *, runs_inline: bool = True) -> None:
        self._freed_in = freed_in
        self.runs_inline = runs_inline

    def __call__(self, images: Images) -> Scores:
        scores = np.full((len(images), 10), 0.1, np.float32)
        return Scores(scores, scores)

    def __del__(self) -> None:
        self._freed_in.append(threading.current_thread().name)


@pytest.mark.parametrize("runs_inline", [True, False])
async def test_a_version_is_freed_after_its_last_request_in_the_loader_thread(*, runs_inline: bool) -> None:
    freed_in: list[str] = []
    freed: list[bool] = []
    loader = Loader("openvino")
    draining = DrainingVersions(loader)
    engine = Blank(freed_in, runs_inline=runs_inline)
    loaded = LoadedVersion(Card.model_construct(), Batcher(engine, queue_size=8, observer=ServiceMetrics()))
    batcher = weakref.ref(loaded.batcher)
    del engine
    draining.add(loaded, on_freed=lambda: freed.append(True))
    await draining.free_unused()
    await loaded.batcher.score(np.zeros((1, 28, 28), np.uint8))
    assert (freed_in, freed) == ([], [])
    del loaded
    await draining.free_unused()
    assert freed == [True]
    assert batcher() is None
    assert len(freed_in) == 1
    assert freed_in[0].startswith("loader")
    await loader.close()


async def test_a_finder_is_freed_after_its_last_run_in_the_loader_thread() -> None:
    class Freed(Darkness):
        def __del__(self) -> None:
            freed_in.append(threading.current_thread().name)

    freed_in: list[str] = []
    freed: list[bool] = []
    loader = Loader("openvino")
    draining = DrainingVersions(loader)
    loaded = LoadedFinder(FinderCard.model_construct(), FinderRunner(Freed()))
    draining.add(loaded, on_freed=lambda: freed.append(True))
    await draining.free_unused()
    assert (await loaded.run(draw_pages(1))).ink.shape == (1, 96, 96)
    assert (freed_in, freed) == ([], [])
    del loaded
    await draining.free_unused()
    assert freed == [True]
    assert len(freed_in) == 1
    assert freed_in[0].startswith("loader")
    await loader.close()
