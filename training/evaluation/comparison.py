"""Compares two models on the same images, with tests of significance. Does not decide which of them is published."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.data.corruptions import corrupt_round_robin
from training.data.examples import NOT_A_DIGIT, Examples, Images
from training.evaluation.abstention import abstention_reasons
from training.evaluation.metrics import Classifier, expected_calibration_error
from training.evaluation.significance import calibration_test, mcnemar_test

Verdict = Literal["better", "worse", "same"]

SIGNIFICANCE_LEVEL = 0.05
"""The probability that any test of a comparison finds a difference between two equal models (Bonferroni)."""
CALIBRATION_TOLERANCE = 0.001
"""The largest difference in expected calibration error that counts as the same."""
COST_TOLERANCE = 0.1
"""The largest relative difference in the cost of an image that counts as the same."""
TIMED_IMAGES = 500
TIMED_ROUNDS = 25


@dataclass(frozen=True)
class ComparedModel:
    """A model in a comparison."""

    title: str
    card: dict[str, Any]
    classify: Classifier


@dataclass(frozen=True)
class Measure:
    """One row of a comparison: a measure of both models."""

    name: str
    before: str
    after: str
    verdict: Verdict
    p: float | None = None
    """The p-value of the difference. None: the measure is deterministic."""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"name": self.name, "before": self.before, "after": self.after, "p": self.p, "verdict": self.verdict}


def compare(
    baseline: ComparedModel, candidate: ComparedModel, test: Examples, held_out: Examples | None = None
) -> list[Measure]:
    """Compare two models by accuracy, calibration and cost.

    Accuracy is measured on the test part, on a corrupted copy of it, and on held-out feedback if there is any. The
    tests share SIGNIFICANCE_LEVEL equally.
    """
    corrupted = Examples(corrupt_round_robin(test.images), test.labels)
    parts = {"MNIST test": test, "corrupted test": corrupted}
    if held_out is not None and len(held_out):
        parts["held-back feedback"] = held_out
    level = SIGNIFICANCE_LEVEL / (len(parts) + 2)
    return [
        *(_compare_accuracy(name, baseline, candidate, part, level) for name, part in parts.items()),
        _compare_calibration(baseline, candidate, test, level),
        _compare_multiply_adds(baseline, candidate),
        _compare_speed(baseline, candidate, test.images[:TIMED_IMAGES], level),
    ]


def correct_predictions(model: ComparedModel, examples: Examples) -> npt.NDArray[np.bool_]:
    """Return whether each example is classified correctly, (n,).

    A digit is classified correctly if the predicted digit is the label. An image without a digit is classified
    correctly if the model abstains.
    """
    logits, probabilities = model.classify(examples.images)
    reasons = abstention_reasons(logits, probabilities, model.card["abstention"])
    abstained = [reason is not None for reason in reasons]
    return np.where(examples.labels == NOT_A_DIGIT, abstained, probabilities.argmax(axis=1) == examples.labels)


def comparison_table(baseline: ComparedModel, candidate: ComparedModel, measures: Sequence[Measure]) -> list[str]:
    """Return the lines of the comparison as a Markdown table."""
    rows = [
        f"| {row.name} | {row.before} | {row.after} | {_format_p_value(row.p)} | {row.verdict} | {row.note} |"
        for row in measures
    ]
    return [f"| | {baseline.title} | {candidate.title} | p | verdict | |", "|---|---:|---:|---:|---|---|", *rows]


def _compare_accuracy(
    name: str, baseline: ComparedModel, candidate: ComparedModel, examples: Examples, level: float
) -> Measure:
    before, after = (correct_predictions(model, examples) for model in (baseline, candidate))
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    p = mcnemar_test(lost, won)
    note = f"{won} won, {lost} lost"
    verdict = _verdict(won - lost, significant=p < level)
    return Measure(f"{name}, right", _format_share(before), _format_share(after), verdict, p, note)


def _compare_calibration(baseline: ComparedModel, candidate: ComparedModel, test: Examples, level: float) -> Measure:
    first, second = (model.classify(test.images)[1] for model in (baseline, candidate))
    before, after = (expected_calibration_error(each, test.labels) for each in (first, second))
    p = calibration_test(first, second, test.labels)
    verdict = _verdict(before - after, significant=p < level and abs(after - before) > CALIBRATION_TOLERANCE)
    return Measure("calibration error", f"{before:.2%}", f"{after:.2%}", verdict, p)


def _compare_multiply_adds(baseline: ComparedModel, candidate: ComparedModel) -> Measure:
    before, after = (model.card["multiply_adds"] for model in (baseline, candidate))
    verdict = _verdict(before - after, significant=_exceeds_tolerance(after / before))
    return Measure("multiply-adds", f"{before:,}", f"{after:,}", verdict)


def _compare_speed(baseline: ComparedModel, candidate: ComparedModel, images: Images, level: float) -> Measure:
    """Compare the time for an image.

    The models are timed in turn, so that other load on the machine affects both. The test is a sign test, which is
    McNemar's test on the rounds.
    """
    rounds = [(_seconds(baseline, images), _seconds(candidate, images)) for _ in range(TIMED_ROUNDS + 1)]
    del rounds[0]  # the warm-up
    slower = sum(after > before for before, after in rounds)
    p = mcnemar_test(slower, TIMED_ROUNDS - slower)
    ratio = median(after / before for before, after in rounds)
    before, after = (f"{median(times) / len(images) * 1e6:.0f} µs" for times in zip(*rounds, strict=True))
    verdict = _verdict(1 - ratio, significant=p < level and _exceeds_tolerance(ratio))
    return Measure("time for an image", before, after, verdict, p)


def _seconds(model: ComparedModel, images: Images) -> float:
    started = time.perf_counter()
    model.classify(images)
    return time.perf_counter() - started


def _exceeds_tolerance(ratio: float) -> bool:
    return not 1 / (1 + COST_TOLERANCE) <= ratio <= 1 + COST_TOLERANCE


def _verdict(gain: float, *, significant: bool) -> Verdict:
    if not significant:
        return "same"
    return "better" if gain > 0 else "worse"


def _format_share(correct: npt.NDArray[np.bool_]) -> str:
    return f"{correct.sum():,} of {len(correct):,} ({correct.mean():.2%})"


def _format_p_value(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
