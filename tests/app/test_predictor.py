import math

import numpy as np
import pytest

from app.card import Abstention
from app.engine import Scores
from app.predictor import doubt


def scores(*pairs: tuple[float, float]) -> Scores:
    """Make the scores of some images, each of a confidence and of a best logit where the other nine are 0."""
    probabilities = [[confidence] + [(1 - confidence) / 9] * 9 for confidence, _ in pairs]
    logits = [[best] + [0.0] * 9 for _, best in pairs]
    return Scores(np.array(probabilities, np.float32), np.array(logits, np.float32))


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
def test_thresholds(confidence: float, best: float, reason: str | None) -> None:
    assert doubt(Abstention(confidence=0.5, energy=-10), scores((confidence, best))) == [reason]


def test_each_of_several_is_judged_for_itself() -> None:
    several = scores((0.9, 20), (0.4, 20), (0.9, 5))
    assert doubt(Abstention(confidence=0.5, energy=-10), several) == [None, "unsure", "not_a_digit"]


def test_the_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    energy = -math.log(math.exp(3) + 9)
    assert doubt(Abstention(confidence=0, energy=energy + 1e-4), scores((1, 3))) == [None]
    assert doubt(Abstention(confidence=0, energy=energy - 1e-4), scores((1, 3))) == ["not_a_digit"]


def test_a_model_without_an_energy_threshold_is_judged_by_confidence_alone() -> None:
    assert doubt(Abstention(confidence=0.5, energy=None), scores((0.9, -100))) == [None]
