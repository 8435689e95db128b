import threading
import weakref

import numpy as np
import pytest

from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Card
from app.model_repository.draining import DrainingVersions
from app.model_repository.loader import Loader
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics

pytestmark = pytest.mark.anyio


class Blank:
    """An engine that tells in which thread it went."""

    def __init__(self, ends: list[str], *, runs_inline: bool = True) -> None:
        self._ends = ends
        self.runs_inline = runs_inline

    def __call__(self, images: Images) -> Scores:
        scores = np.full((len(images), 10), 0.1, np.float32)
        return Scores(scores, scores)

    def __del__(self) -> None:
        self._ends.append(threading.current_thread().name)


@pytest.mark.parametrize("runs_inline", [True, False])
async def test_a_version_goes_when_its_last_request_is_answered_and_off_the_loop(*, runs_inline: bool) -> None:
    ends: list[str] = []
    freed: list[bool] = []
    loader = Loader("openvino")
    draining = DrainingVersions(loader)
    engine = Blank(ends, runs_inline=runs_inline)
    served = ServedVersion(Card.model_construct(), Batcher(engine, queue_size=8, observer=ServiceMetrics()))
    batcher = weakref.ref(served.batcher)
    del engine
    draining.add(served, freed=lambda: freed.append(True))
    await draining.free()
    await served.batcher.score(np.zeros((1, 28, 28), np.uint8))
    assert (ends, freed) == ([], [])
    del served
    await draining.free()
    assert freed == [True]
    assert batcher() is None
    assert len(ends) == 1
    assert ends[0].startswith("loader")
    await loader.close()
