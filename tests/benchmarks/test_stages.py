import anyio
import pytest

from benchmarks import payloads
from benchmarks.environments import ROOT
from benchmarks.stages import REST, WHOLE, measure

pytestmark = pytest.mark.slow


def test_every_stage_can_be_measured() -> None:
    picture = payloads.digit_png()
    found = anyio.run(lambda: measure(picture, payloads.raw(picture), ROOT / "models", rounds=1, repeats=2))
    stages = ["HTTP", "body", "decode", "normalise", "queue", "inference", "answer", REST, WHOLE]
    assert list(found) == stages
    assert all(len(rounds) == 1 for rounds in found.values())
    assert found[WHOLE][0] > 0
