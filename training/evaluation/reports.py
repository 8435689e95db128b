"""The reports on a model's predictions for the validation and test images, in the format of `model.json`.

Knows only arrays of numbers.
"""

from typing import Any

import numpy as np

from training.data.examples import Labels
from training.evaluation.abstention import abstention_reasons
from training.evaluation.metrics import (
    Floats,
    confusion_matrix,
    count_correct,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    wilson_interval,
)


def accuracy_report(scores: Floats, labels: Labels) -> dict[str, Any]:
    """Return `total`, `correct` and `accuracy` for scores, (n, 10), and labels, (n,)."""
    correct = count_correct(scores, labels)
    return {"total": len(labels), "correct": correct, "accuracy": correct / len(labels)}


def classification_report(
    logits: Floats, probabilities: Floats, labels: Labels, thresholds: dict[str, float | None]
) -> dict[str, Any]:
    """Return the report on the test part. `models/README.md` describes its fields.

    Args:
        logits: (n, 10).
        probabilities: (n, 10).
        labels: (n,).
        thresholds: The thresholds of abstention, `confidence` and `energy`.

    """
    counts = accuracy_report(probabilities, labels)
    confusion = confusion_matrix(probabilities, labels)
    reasons = abstention_reasons(logits, probabilities, thresholds)
    return {
        **counts,
        "interval_95": wilson_interval(counts["correct"], counts["total"]),
        "recall": (confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)).tolist(),
        "confusion": confusion.tolist(),
        "negative_log_likelihood": negative_log_likelihood(probabilities, labels),
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
        "reliability": reliability_bins(probabilities, labels).tolist(),
        "abstained": sum(reason is not None for reason in reasons),
    }
