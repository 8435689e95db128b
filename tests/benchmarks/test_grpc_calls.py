import json
import sys
from pathlib import Path

import pytest

from benchmarks import grpc_calls
from tests.conftest import MODELS


@pytest.mark.slow
def test_both_servers_are_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(grpc_calls, "prepare", lambda *_: Path(sys.executable).parent)
    grpc_calls.main(models=MODELS, model="softmax", rounds=1, seconds=0.5, calls=2)
    figures = json.loads(capsys.readouterr().out)
    assert 0 < figures["ratio"] < 1
    assert figures["calls_per_processor_second"] < figures["do_nothing"]
