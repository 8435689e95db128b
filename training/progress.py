"""The state of a training run: its training curves, and the arrays with which the run can continue."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class HistoryPoint:
    """One point of the training curves. The loss is the mean since the previous point."""

    iteration: int
    loss: float
    validation_accuracy: float

    def as_json(self) -> dict[str, Any]:
        """Return the point as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """The state of a run after some iterations."""

    iteration: int
    """The number of completed iterations."""
    arrays: Sequence[npt.NDArray[Any]]
    """The variables of the network, then those of the optimiser."""
    history: Sequence[HistoryPoint]
    """The training curves up to this iteration."""
