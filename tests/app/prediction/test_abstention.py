import math

import numpy as np
import pytest

from app.inference.scores import Classification, Scores
from app.model_repository.card import Abstention
from app.prediction.abstention import abstention_reason


def classification(confidence: float, best: float) -> Classification:
    """Make a classification with this confidence; the highest logit is `best`, the other nine are 0."""
    probabilities = np.array([[confidence] + [(1 - confidence) / 9] * 9], np.float32)
    return Scores(probabilities, np.array([[best] + [0.0] * 9], np.float32)).classifications[0]


@pytest.mark.parametrize(
    ("confidence", "best", "reason"),
    [
        (0.9, 20, None),
        (0.5, 20, None),
        (0.49, 20, "unsure"),
        (0.9, 5, "not_a_digit"),
        (0.1, 5, "not_a_digit"),
    ],
)
def test_the_thresholds_of_energy_and_confidence_give_the_reason(
    confidence: float, best: float, reason: str | None
) -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=-10), classification(confidence, best)) == reason


def test_the_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    energy = -math.log(math.exp(3) + 9)
    assert abstention_reason(Abstention(confidence=0, energy=energy + 1e-4), classification(1, 3)) is None
    assert abstention_reason(Abstention(confidence=0, energy=energy - 1e-4), classification(1, 3)) == "not_a_digit"


def test_without_an_energy_threshold_only_the_confidence_counts() -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=None), classification(0.9, -100)) is None
