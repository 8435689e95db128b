import numpy as np

from tests.training.evaluation.conftest import Scores
from training.data.examples import Labels
from training.evaluation.abstention import (
    abstention_reasons,
    choose_confidence_threshold,
    choose_energy_threshold,
    energy,
)
from training.evaluation.metrics import softmax


def test_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    np.testing.assert_allclose(energy(np.array([[0.0, 0.0], [1000.0, 0.0]])), [-np.log(2), -1000])


def test_thresholds_reject_the_requested_share(calibrated: tuple[Scores, Labels]) -> None:
    logits, _ = calibrated
    probabilities = softmax(logits)
    confidence, limit = choose_confidence_threshold(probabilities, 0.0015), choose_energy_threshold(logits, 0.0015)
    assert abstention_reasons(logits, probabilities, {"confidence": confidence, "energy": None}).count("unsure") == 30
    assert abstention_reasons(logits, probabilities, {"confidence": None, "energy": limit}).count("not_a_digit") == 30


def test_the_abstention_reason_depends_on_the_threshold() -> None:
    logits = np.array([[9.0, 0.0], [1.0, 1.1], [-5.0, -5.0], [-9.0, 0.0]])
    found = abstention_reasons(logits, softmax(logits), {"confidence": 0.6, "energy": 1.0})
    assert found == [None, "unsure", "not_a_digit", None]
