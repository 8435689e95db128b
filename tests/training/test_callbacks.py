import numpy as np
import pytest

from training import callbacks
from training.callbacks import Curves, Saver, report, restore
from training.progress import HistoryPoint, Progress


class Variable:
    """A variable in place of TensorFlow's."""

    def __init__(self, value: float) -> None:
        self.value = value

    def numpy(self) -> np.ndarray:
        return np.array(self.value)

    def assign(self, array: np.ndarray) -> None:
        self.value = float(array)


class Memory:
    """A checkpoint in memory."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.saved = [progress] if progress else []

    def save(self, progress: Progress) -> None:
        self.saved.append(progress)

    def load(self) -> Progress | None:
        return self.saved[-1] if self.saved else None


def test_the_curves_have_the_mean_loss_since_the_previous_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "VALIDATION_INTERVAL", 2)
    history: list[HistoryPoint] = []
    curves = Curves(lambda: 0.5, 5, history)
    for iteration, loss in enumerate([1.0, 3.0, 5.0, 5.0, 9.0], start=1):
        curves(iteration, loss)
    assert history == [HistoryPoint(2, 2.0, 0.5), HistoryPoint(4, 5.0, 0.5), HistoryPoint(5, 9.0, 0.5)]


def test_progress_is_saved_at_each_point_of_the_curves_and_restored() -> None:
    memory, history, variable = Memory(), [HistoryPoint(2, 1.0, 0.5)], Variable(7.0)
    saver = Saver(memory, [variable], history)
    for iteration in (1, 2, 3):
        saver(iteration, 0.0)
    assert [progress.iteration for progress in memory.saved] == [2]
    history.append(HistoryPoint(4, 1.0, 0.5))  # what is saved does not change
    other = Variable(0.0)
    assert restore([other], memory) == (2, [HistoryPoint(2, 1.0, 0.5)])
    assert other.value == 7.0


def test_without_saved_progress_a_run_starts_at_the_beginning() -> None:
    variable = Variable(7.0)
    assert restore([variable], None) == restore([variable], Memory()) == (0, [])
    assert variable.value == 7.0


def test_progress_is_reported_with_the_latest_point_of_the_curves() -> None:
    reported: list[tuple[int, HistoryPoint | None]] = []
    history: list[HistoryPoint] = []
    callback = report(lambda iteration, point: reported.append((iteration, point)), history)
    callback(1, 0.5)
    history.append(HistoryPoint(1, 0.5, 0.9))
    callback(2, 0.5)
    assert reported == [(1, None), (2, history[0])]
