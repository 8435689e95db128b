"""The state of a training run: its training curves, and the arrays with which the run can continue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class HistoryPoint:
    """One point of the training curves. The loss is the mean since the previous point."""

    iteration: int
    loss: float
    validation_score: float
    """On the validation part: the accuracy of a classifier, or the F1 score of the ink that the finder finds."""

    def as_json(self, score: str) -> dict[str, Any]:
        """Return the point as in the `history` of `model.json`, where the score is `validation_` and its name."""
        return {"iteration": self.iteration, "loss": self.loss, f"validation_{score}": self.validation_score}


OnProgress = Callable[[int, HistoryPoint | None], None]
"""Called with the number of completed iterations and the latest point of the training curves."""
OnStage = Callable[[str], None]
"""Called with what a run does next if it is not training, such as `measuring the accuracy under fog`."""


@dataclass(frozen=True)
class Progress:
    """The state of a run after some iterations."""

    iteration: int
    """The number of completed iterations."""
    arrays: Sequence[npt.NDArray[Any]]
    """The variables of the network, then those of the optimiser."""
    history: Sequence[HistoryPoint]
    """The training curves up to this iteration."""
