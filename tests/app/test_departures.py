import threading
import weakref

import numpy as np
import pytest

from app.batching import Batcher
from app.card import Card
from app.departures import Departures
from app.engine import Images
from app.loading import Loader
from app.scores import Scores
from app.telemetry import Telemetry
from app.versions import ServedVersion

pytestmark = pytest.mark.anyio


class Blank:
    """An engine that tells in which thread it went."""

    def __init__(self, ends: list[str], *, blocks_briefly: bool = True) -> None:
        self._ends = ends
        self.blocks_briefly = blocks_briefly

    def __call__(self, images: Images) -> Scores:
        scores = np.full((len(images), 10), 0.1, np.float32)
        return Scores(scores, scores)

    def __del__(self) -> None:
        self._ends.append(threading.current_thread().name)


@pytest.mark.parametrize("blocks_briefly", [True, False])
async def test_a_version_goes_when_its_last_request_is_answered_and_off_the_loop(*, blocks_briefly: bool) -> None:
    ends: list[str] = []
    freed: list[bool] = []
    loader = Loader("openvino")
    departures = Departures(loader)
    engine = Blank(ends, blocks_briefly=blocks_briefly)
    served = ServedVersion(Card.model_construct(), Batcher(engine, queue_size=8, observer=Telemetry()))
    batcher = weakref.ref(served.batcher)
    del engine
    departures.add(served, freed=lambda: freed.append(True))
    await departures.free()
    await served.batcher.score(np.zeros((1, 28, 28), np.uint8))
    assert (ends, freed) == ([], [])
    del served
    await departures.free()
    assert freed == [True]
    assert batcher() is None
    assert len(ends) == 1
    assert ends[0].startswith("loader")
    await loader.close()
