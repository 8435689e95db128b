from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import draw_examples
from training.progress import HistoryPoint, Progress
from training.publishing.checkpoints import Checkpoint, fingerprint
from training.recipes import SOFTMAX

PROGRESS = Progress(
    iteration=500,
    arrays=[np.arange(6, dtype=np.float32).reshape(2, 3), np.int64(7), np.zeros(0, np.float32)],
    history=[HistoryPoint(iteration=500, loss=0.25, validation_score=0.9)],
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "hidden" / "tiny.npz", "this run")


def test_saved_progress_is_loaded(checkpoint: Checkpoint) -> None:
    checkpoint.save(PROGRESS)
    found = checkpoint.load()
    assert found
    assert (found.iteration, found.history) == (PROGRESS.iteration, PROGRESS.history)
    for array, expected in zip(found.arrays, PROGRESS.arrays, strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype


def test_a_missing_checkpoint_is_none(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() is None


def test_another_run_does_not_load_the_checkpoint(checkpoint: Checkpoint) -> None:
    checkpoint.save(PROGRESS)
    assert replace(checkpoint, fingerprint="another").load() is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"not an archive"])
def test_a_damaged_checkpoint_is_none(checkpoint: Checkpoint, content: bytes) -> None:
    checkpoint.save(PROGRESS)
    checkpoint.path.write_bytes(content)
    assert checkpoint.load() is None


def test_an_interrupted_save_keeps_the_previous_checkpoint(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(PROGRESS)

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.publishing.checkpoints.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(replace(PROGRESS, iteration=750))
    found = checkpoint.load()
    assert found
    assert found.iteration == 500


def test_the_fingerprint_differs_between_runs() -> None:
    examples, software, shapes = draw_examples(20), {"tensorflow": "2"}, [[784, 10], [10]]
    prints = [
        fingerprint(SOFTMAX, examples, software, shapes),
        fingerprint(replace(SOFTMAX, seed=1), examples, software, shapes),
        fingerprint(SOFTMAX, examples[:19], software, shapes),
        fingerprint(SOFTMAX, replace(examples, labels=examples.labels[::-1]), software, shapes),
        fingerprint(SOFTMAX, examples, {"tensorflow": "3"}, shapes),
        fingerprint(SOFTMAX, examples, {**software, "saved_model.pb": "0" * 64}, shapes),
        fingerprint(SOFTMAX, examples, software, [[784, 20], [20]]),
    ]
    assert len(set(prints)) == 7
    assert fingerprint(SOFTMAX, draw_examples(20), software, shapes) == prints[0]
