import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.environments import PEERS, ROOT
from training.recipes import CONVNET


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    """Specify a softmax regression, and 300 images of noise."""
    from benchmarks.training import specification  # noqa: PLC0415 - it imports TensorFlow

    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (300, 28, 28), np.uint8), random.integers(0, 10, 300).astype(np.int32)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    spec = {**specification("softmax"), "steps": 2, "stretches": 3, "augmented": False}
    (tmp_path / "spec.json").write_text(json.dumps({**spec, "data": str(tmp_path / "data.npz")}))
    return tmp_path / "spec.json"


@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "benchmarks.training_loop"], [str(PEERS / "keras" / "train.py")]])
def test_a_program_prints_the_time_of_a_step_in_each_stretch(program: list[str], spec_file: Path) -> None:
    command = [sys.executable, *program, str(spec_file)]
    printed = subprocess.check_output(command, cwd=ROOT, text=True)  # noqa: S603 - the project's own programs
    times = json.loads(printed.splitlines()[-1])
    assert len(times) == 3
    assert all(time > 0 for time in times)


@pytest.mark.slow
def test_every_program_gets_the_same_network() -> None:
    from benchmarks.training import specification  # noqa: PLC0415 - it imports TensorFlow

    spec = specification("convnet")
    assert [shape["channels"] for shape in spec["convolutions"]] == [shape.channels for shape in CONVNET.convolutions]
    assert spec["batch_size"] == 100
