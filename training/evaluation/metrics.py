"""Accuracy, calibration and confusion of predictions. Knows only arrays of numbers."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from training.data.examples import Images, Labels

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Classifier = Callable[[Images], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
"""From images, uint8 (n, 28, 28), to logits and probabilities, float32 (n, 10) each."""

CALIBRATION_BINS = 15
NORMAL_QUANTILE_95 = 1.959964


def count_correct(scores: Floats, labels: Labels) -> int:
    """Count the rows whose highest score is at the label.

    Args:
        scores: Logits or probabilities, (n, 10).
        labels: (n,).

    """
    return int((scores.argmax(axis=1) == labels).sum())


def accuracy(scores: Floats, labels: Labels) -> float:
    """Return the share of the rows whose highest score is at the label."""
    return count_correct(scores, labels) / len(labels)


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Convert each row of logits to probabilities: (n, 10) -> (n, 10)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def negative_log_likelihood(probabilities: Floats, labels: Labels) -> float:
    """Return the mean negative log-likelihood of the labels, in nats."""
    likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean())


def reliability_bins(probabilities: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """Compare confidence with accuracy in 15 confidence bins of equal width.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.

    Args:
        probabilities: (n, 10).
        labels: (n,).

    Returns:
        (15, 3): for each bin, the number of images, their mean confidence and their accuracy. All are 0 in an empty
        bin.

    """
    confidence, bins = bin_by_confidence(probabilities)
    correct = probabilities.argmax(axis=1) == labels
    total, confidence_sums, correct_sums = (
        np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)
        for weights in (np.ones(len(labels)), confidence, correct)
    )
    divisor = np.maximum(total, 1)
    return np.stack([total, confidence_sums / divisor, correct_sums / divisor], axis=1)


def bin_by_confidence(probabilities: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return the confidence of each row of probabilities, (n, 10), and the index of its bin: (n,) each."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    return confidence, np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def expected_calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the mean absolute difference between confidence and accuracy over the bins of `reliability_bins`."""
    total, confidence, correct = reliability_bins(probabilities, labels).T
    return float((total * np.abs(correct - confidence)).sum() / len(labels))


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, z = correct / total, NORMAL_QUANTILE_95
    centre = share + z**2 / (2 * total)
    margin = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (centre - margin) / (1 + z**2 / total), (centre + margin) / (1 + z**2 / total)


def confusion_matrix(scores: Floats, labels: Labels) -> npt.NDArray[np.int64]:
    """Count the predictions, (10, 10). Rows are true digits, columns are predicted digits."""
    return np.bincount(labels * 10 + scores.argmax(axis=1), minlength=100).reshape(10, 10)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Find the divisor of the logits with the lowest negative log-likelihood, between 0.05 and 20.

    The likelihood is concave in the inverse temperature, so its slope is bisected. Source: Guo et al. 2017,
    arXiv:1706.04599, section 4.2.
    """
    scores = logits.astype(np.float64)
    label_scores = scores[np.arange(len(labels)), labels]
    low, high = 0.05, 20.0
    for _ in range(50):
        temperature = math.sqrt(low * high)
        expected = (softmax(scores / temperature) * scores).sum(axis=1)
        overconfident = (expected - label_scores).mean() > 0
        low, high = (temperature, high) if overconfident else (low, temperature)
    return temperature
