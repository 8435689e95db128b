import numpy as np
import pytest

from tests.training.evaluation.conftest import Scores
from training.data.examples import NOT_A_DIGIT, Labels
from training.evaluation.abstention import (
    ERROR_COST,
    SYMBOL_COST,
    AbstentionRates,
    abstention_reasons,
    choose_thresholds,
    energy,
    measure_abstention,
)
from training.evaluation.metrics import softmax


def test_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    np.testing.assert_allclose(energy(np.array([[0.0, 0.0], [1000.0, 0.0]])), [-np.log(2), -1000])


def test_the_abstention_reason_depends_on_the_threshold() -> None:
    logits = np.array([[9.0, 0.0], [1.0, 1.1], [-5.0, -5.0], [-9.0, 0.0]])
    found = abstention_reasons(logits, softmax(logits), {"confidence": 0.6, "energy": 1.0})
    assert found == [None, "unsure", "not_a_digit", None]


def test_the_cost_weighs_errors_and_symbols() -> None:
    rates = AbstentionRates(errors_trusted=0.01, digits_abstained=0.02, symbols_trusted=0.1)
    assert rates.cost == pytest.approx(0.01 * ERROR_COST + 0.02 + 0.1 * SYMBOL_COST)


def test_rates_are_shares_of_the_digits_and_of_the_symbols() -> None:
    logits = np.array([[9.0, 0.0], [0.0, 9.0], [1.0, 1.1], [9.0, 0.0], [0.0, 0.1]])
    labels = np.array([0, 0, 1, NOT_A_DIGIT, NOT_A_DIGIT], np.int32)
    rates = measure_abstention(logits, softmax(logits), labels, {"confidence": 0.6, "energy": None})
    assert rates == AbstentionRates(errors_trusted=1 / 3, digits_abstained=1 / 3, symbols_trusted=1 / 2)


def test_a_calibrated_model_abstains_when_it_is_more_likely_wrong_than_right(
    calibrated: tuple[Scores, Labels],
) -> None:
    logits, labels = calibrated
    thresholds = choose_thresholds(logits, softmax(logits), labels, with_energy=False)
    assert thresholds["confidence"] == pytest.approx(0.5, abs=0.05)
    assert thresholds["energy"] is None


def test_the_energy_threshold_separates_digits_from_symbols() -> None:
    rng = np.random.default_rng(3)
    labels = np.concatenate([rng.integers(0, 10, 1000), np.full(500, NOT_A_DIGIT)]).astype(np.int32)
    logits = rng.normal(0, 0.1, (1500, 10))
    logits[np.arange(1000), labels[:1000]] += 8
    logits[1000:, 0] += 4  # as confident of one digit, but with less energy
    chosen = choose_thresholds(logits, softmax(4 * logits), labels, with_energy=True)
    assert chosen["energy"] is not None
    assert -8.5 < chosen["energy"] < -4.5
    assert measure_abstention(logits, softmax(4 * logits), labels, chosen).cost < 0.01


def test_no_thresholds_that_abstain_more_are_chosen_at_the_same_cost() -> None:
    logits = np.diag(np.full(10, 30.0))
    chosen = choose_thresholds(logits, softmax(logits), np.arange(10, dtype=np.int32), with_energy=True)
    assert chosen == {"confidence": 0.3, "energy": -30.0}
