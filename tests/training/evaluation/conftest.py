"""The predictions that several tests of evaluation use."""

import numpy as np
import numpy.typing as npt
import pytest

from training.data.examples import Labels
from training.evaluation.metrics import softmax

Scores = npt.NDArray[np.float64]


@pytest.fixture
def calibrated() -> tuple[Scores, Labels]:
    """Return random logits, and labels drawn from their softmax probabilities: perfectly calibrated."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (20_000, 10))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    return logits, labels.astype(np.int32)
