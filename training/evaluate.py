"""What a model's answers are worth: accuracy, calibration, and when not to trust them. Knows only arrays of numbers."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data import Labels

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

CALIBRATION_BINS = 15
NORMAL_QUANTILE_95 = 1.959964


def count_correct(scores: Floats, labels: Labels) -> int:
    """Count the rows whose highest score is at the label: scores (n, 10), logits or probabilities, labels (n,)."""
    return int((scores.argmax(axis=1) == labels).sum())


def accuracy(scores: Floats, labels: Labels) -> float:
    """Give the share of the rows whose highest score is at the label."""
    return count_correct(scores, labels) / len(labels)


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Turn each row of logits into probabilities: (n, 10) -> (n, 10)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def energy(logits: Floats) -> npt.NDArray[np.float64]:
    """Give the energy of each row, high where it is like nothing learnt: (n, 10) -> (n,).

    Source: Liu et al. 2020, arXiv:2010.03759.
    """
    energies: npt.NDArray[np.float64] = -np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    return energies


def negative_log_likelihood(probabilities: Floats, labels: Labels) -> float:
    """Give the mean over the rows, in nats."""
    likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean())


def reliability(probabilities: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """Compare confidence with accuracy over 15 bins of equal width of the confidence.

    Args:
        probabilities: (n, 10).
        labels: (n,).

    Returns:
        (15, 3): of each bin how many images it has, their mean confidence, and the share of them that is read right;
        nothing but zeros where there is no image.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.

    """
    confidence, bins = bin_by_confidence(probabilities)
    correct = probabilities.argmax(axis=1) == labels
    total, confidences, corrects = (
        np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)
        for weights in (np.ones(len(labels)), confidence, correct)
    )
    images = np.maximum(total, 1)
    return np.stack([total, confidences / images, corrects / images], axis=1)


def bin_by_confidence(probabilities: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Give of each row, (n, 10), its confidence and which of the 15 bins that falls into: (n,) each."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    return confidence, np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def expected_calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Give the mean distance between confidence and accuracy over the bins of `reliability`."""
    total, confidence, correct = reliability(probabilities, labels).T
    return float((total * np.abs(correct - confidence)).sum() / len(labels))


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share, z = correct / total, NORMAL_QUANTILE_95
    centre = share + z**2 / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (centre - reach) / (1 + z**2 / total), (centre + reach) / (1 + z**2 / total)


def confusion_matrix(scores: Floats, labels: Labels) -> npt.NDArray[np.int64]:
    """Count the answers, (10, 10): the row is the true digit, the column the answer."""
    return np.bincount(labels * 10 + scores.argmax(axis=1), minlength=100).reshape(10, 10)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Find what to divide the logits by for the lowest negative log-likelihood, between 0.05 and 20.

    The likelihood is concave in the inverse temperature, so the slope is bisected. Source: Guo et al. 2017,
    arXiv:1706.04599, section 4.2.
    """
    scores = logits.astype(np.float64)
    right = scores[np.arange(len(labels)), labels]
    low, high = 0.05, 20.0
    for _ in range(50):
        temperature = math.sqrt(low * high)
        expected = (softmax(scores / temperature) * scores).sum(axis=1)
        too_sharp = (expected - right).mean() > 0
        low, high = (temperature, high) if too_sharp else (low, temperature)
    return temperature


def choose_confidence(probabilities: Floats, share: float) -> float:
    """Choose the confidence below which an answer is `unsure`, so that this share of these digits, (n, 10), is lost."""
    return float(np.quantile(probabilities.max(axis=1), share))


def choose_energy(logits: Floats, share: float) -> float:
    """Choose the energy above which it is `not_a_digit`, so that this share of these digits, (n, 10), is lost."""
    return float(np.quantile(energy(logits), 1 - share))


def doubts(logits: Floats, probabilities: Floats, abstention: dict[str, float | None]) -> list[str | None]:
    """Say of each row why not to trust it: `not_a_digit` past the threshold `energy`, `unsure` below `confidence`.

    A row to trust has None. A threshold of None doubts nothing.
    """
    least, most = abstention["confidence"], abstention["energy"]
    unsure = probabilities.max(axis=1) < (0 if least is None else least)
    foreign = energy(logits) > (np.inf if most is None else most)
    return [
        "not_a_digit" if no_digit else "unsure" if weak else None
        for no_digit, weak in zip(foreign, unsure, strict=True)
    ]


def score(scores: Floats, labels: Labels) -> dict[str, Any]:
    """Give `total`, `correct` and `accuracy` as `model.json` has them."""
    correct = count_correct(scores, labels)
    return {"total": len(labels), "correct": correct, "accuracy": correct / len(labels)}


def report(
    logits: Floats, probabilities: Floats, labels: Labels, abstention: dict[str, float | None]
) -> dict[str, Any]:
    """Give the report on the test part as `model.json` has it; `models/README.md` says what each field is."""
    judged = score(probabilities, labels)
    confusion = confusion_matrix(probabilities, labels)
    return {
        **judged,
        "interval_95": wilson_interval(judged["correct"], judged["total"]),
        "recall": (confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)).tolist(),
        "confusion": confusion.tolist(),
        "negative_log_likelihood": negative_log_likelihood(probabilities, labels),
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
        "reliability": reliability(probabilities, labels).tolist(),
        "abstained": sum(doubt is not None for doubt in doubts(logits, probabilities, abstention)),
    }
