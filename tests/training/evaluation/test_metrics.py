import numpy as np
import pytest

from tests.training.evaluation.conftest import Scores
from training.data.examples import Labels
from training.evaluation.metrics import (
    accuracy,
    bin_by_confidence,
    confusion_matrix,
    count_correct,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_bins,
    softmax,
    wilson_interval,
)


def test_correct_predictions_are_counted() -> None:
    scores = np.eye(10)[[3, 3, 5, 9]]
    labels = np.array([3, 2, 5, 9], np.int32)
    assert count_correct(scores, labels) == 3
    assert accuracy(scores, labels) == 0.75


def test_softmax_supports_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0], [0.0, np.log(3)]])), [[0.5, 0.5], [0.25, 0.75]])


def test_the_negative_log_likelihood_is_finite_for_a_probability_of_zero() -> None:
    assert negative_log_likelihood(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])) == pytest.approx(
        -(np.log(0.5) + np.log(0.75)) / 2
    )
    assert np.isfinite(negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])))


def test_the_calibration_error_of_calibrated_answers_is_small(calibrated: tuple[Scores, Labels]) -> None:
    logits, labels = calibrated
    assert expected_calibration_error(softmax(logits), labels) < 0.015
    assert expected_calibration_error(softmax(logits * 3), labels) > 0.1


def test_the_calibration_error_is_the_gap_of_each_bin_weighted_by_its_size() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [1.0, 0.0]])
    labels = np.array([0, 1, 0, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx((2 * 0.4 + 0.4 + 0) / 4)
    bins = reliability_bins(probabilities, labels)
    np.testing.assert_allclose(bins[[9, 13, 14]], [[1, 0.6, 1], [2, 0.9, 0.5], [1, 1, 1]])
    assert not np.delete(bins, [9, 13, 14], axis=0).any()


def test_full_confidence_is_in_the_last_bin() -> None:
    confidence, bins = bin_by_confidence(np.array([[1.0, 0.0], [0.5, 0.5], [0.3, 0.2]]))
    np.testing.assert_array_equal(confidence, [1, 0.5, 0.3])
    np.testing.assert_array_equal(bins, [14, 7, 4])


def test_the_wilson_interval_equals_published_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263, and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_the_confusion_has_true_digits_as_rows() -> None:
    confusion = confusion_matrix(np.eye(10)[[9, 4, 4]], np.array([4, 4, 4]))
    assert confusion[4, 9] == 1
    assert confusion[4, 4] == 2
    assert confusion.sum() == 3


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_fit_temperature_recovers_the_temperature(calibrated: tuple[Scores, Labels], temperature: float) -> None:
    logits, labels = calibrated
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)
