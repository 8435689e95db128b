"""Callbacks of a training run: training curves, checkpoints and progress. Each is called after every step.

Knows a network only as a function that evaluates it, and its variables only as arrays.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf

from training.progress import HistoryPoint, OnProgress, Progress

VALIDATION_INTERVAL = 250
"""Iterations between two points of the training curves."""


class CheckpointStore(Protocol):
    """Where the progress of a run is saved."""

    def save(self, progress: Progress) -> None:
        """Save the progress, in place of earlier progress."""

    def load(self) -> Progress | None:
        """Return the saved progress, or None if there is none."""


class Curves:
    """Adds a point to the training curves after every VALIDATION_INTERVAL iterations, and after the last one."""

    def __init__(self, evaluate: Callable[[], float], iterations: int, history: list[HistoryPoint]) -> None:
        self._evaluate = evaluate
        self._iterations = iterations
        self._history = history
        self._losses: list[float] = []

    def __call__(self, iteration: int, loss: float) -> None:
        """Keep the loss and, if it is time, evaluate the network."""
        self._losses.append(loss)
        if iteration % VALIDATION_INTERVAL == 0 or iteration == self._iterations:
            mean_loss = sum(self._losses) / len(self._losses)
            self._history.append(HistoryPoint(iteration, mean_loss, self._evaluate()))
            self._losses = []


class Saver:
    """Saves the progress of a run at each point of the training curves."""

    def __init__(
        self, checkpoint: CheckpointStore, variables: Sequence[tf.Variable], history: Sequence[HistoryPoint]
    ) -> None:
        self._checkpoint = checkpoint
        self._variables = variables
        self._history = history

    def __call__(self, iteration: int, _loss: float) -> None:
        """Save the progress if the curves have a point at this iteration."""
        if self._history and self._history[-1].iteration == iteration:
            arrays = [variable.numpy() for variable in self._variables]
            self._checkpoint.save(Progress(iteration, arrays, list(self._history)))


def report(on_progress: OnProgress, history: Sequence[HistoryPoint]) -> Callable[[int, float], None]:
    """Return the callback that calls `on_progress`."""
    return lambda iteration, _loss: on_progress(iteration, history[-1] if history else None)


def restore(variables: Sequence[tf.Variable], checkpoint: CheckpointStore | None) -> tuple[int, list[HistoryPoint]]:
    """Assign saved progress to the variables. Return the number of completed iterations and the training curves."""
    progress = checkpoint.load() if checkpoint else None
    if progress is None:
        return 0, []
    for variable, array in zip(variables, progress.arrays, strict=True):
        variable.assign(array)
    return progress.iteration, list(progress.history)
