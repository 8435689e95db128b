"""Compares two models on the same images, with tests of significance. Does not decide which of them is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.data.corruptions import corrupt_round_robin
from training.data.examples import NOT_A_DIGIT, Examples, Images
from training.evaluation.abstention import AbstentionRates, abstention_reasons
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
        compare_multiply_adds(baseline.card, candidate.card),
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


def comparison_table(baseline: str, candidate: str, measures: Sequence[Measure]) -> list[str]:
    """Return the lines of the comparison of the models with these titles as a Markdown table."""
    rows = [
        f"| {row.name} | {row.before} | {row.after} | {_format_p_value(row.p)} | {row.verdict} | {row.note} |"
        for row in measures
    ]
    return [f"| | {baseline} | {candidate} | p | verdict | |", "|---|---:|---:|---:|---|---|", *rows]


def _compare_accuracy(
    name: str, baseline: ComparedModel, candidate: ComparedModel, examples: Examples, level: float
) -> Measure:
    before, after = (correct_predictions(model, examples) for model in (baseline, candidate))
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    p = mcnemar_test(lost, won)
    note = f"{won} won, {lost} lost"
    verdict = choose_verdict(won - lost, significant=p < level)
    return Measure(f"{name}, right", format_share(before), format_share(after), verdict, p, note)


def _compare_calibration(baseline: ComparedModel, candidate: ComparedModel, test: Examples, level: float) -> Measure:
    first, second = (model.classify(test.images)[1] for model in (baseline, candidate))
    before, after = (expected_calibration_error(each, test.labels) for each in (first, second))
    p = calibration_test(first, second, test.labels)
    verdict = choose_verdict(before - after, significant=p < level and abs(after - before) > CALIBRATION_TOLERANCE)
    return Measure("calibration error", f"{before:.2%}", f"{after:.2%}", verdict, p)


def compare_abstention(before: AbstentionRates, after: AbstentionRates) -> list[Measure]:
    """Compare the thresholds of a model with others. The first measure is their cost, which decides."""
    rows = (
        ("cost of abstention", before.cost, after.cost, ".4f"),
        ("digits, wrong and trusted", before.errors_trusted, after.errors_trusted, ".2%"),
        ("digits, abstained", before.digits_abstained, after.digits_abstained, ".2%"),
        ("symbols, trusted", before.symbols_trusted, after.symbols_trusted, ".2%"),
    )
    return [
        Measure(name, format(old, spec), format(new, spec), choose_verdict(old - new, significant=old != new))
        for name, old, new, spec in rows
    ]


def compare_multiply_adds(baseline: dict[str, Any], candidate: dict[str, Any]) -> Measure:
    """Compare the multiply-adds in two model cards."""
    before, after = (card["multiply_adds"] for card in (baseline, candidate))
    verdict = choose_verdict(before - after, significant=_exceeds_tolerance(after / before))
    return Measure("multiply-adds", f"{before:,}", f"{after:,}", verdict)


def _compare_speed(baseline: ComparedModel, candidate: ComparedModel, images: Images, level: float) -> Measure:
    runs = partial(baseline.classify, images), partial(candidate.classify, images)
    return compare_speed("time for an image", runs, len(images), level)


def compare_speed(
    name: str, runs: tuple[Callable[[], object], Callable[[], object]], images: int, level: float
) -> Measure:
    """Compare the time for an image, given a function for each model that processes this number of images.

    The models are timed in turn, so that other load on the machine affects both. The test is a sign test, which is
    McNemar's test on the rounds.
    """
    baseline, candidate = runs
    rounds = [(_seconds(baseline), _seconds(candidate)) for _ in range(TIMED_ROUNDS + 1)]
    del rounds[0]  # the warm-up
    slower = sum(after > before for before, after in rounds)
    p = mcnemar_test(slower, TIMED_ROUNDS - slower)
    ratio = median(after / before for before, after in rounds)
    before, after = (f"{median(times) / images * 1e6:.0f} µs" for times in zip(*rounds, strict=True))
    verdict = choose_verdict(1 - ratio, significant=p < level and _exceeds_tolerance(ratio))
    return Measure(name, before, after, verdict, p)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _exceeds_tolerance(ratio: float) -> bool:
    return not 1 / (1 + COST_TOLERANCE) <= ratio <= 1 + COST_TOLERANCE


def choose_verdict(gain: float, *, significant: bool) -> Verdict:
    """Return the verdict on a measure that improved by `gain`, which is negative if it got worse."""
    if not significant:
        return "same"
    return "better" if gain > 0 else "worse"


def format_share(correct: npt.NDArray[np.bool_]) -> str:
    """Format the count and the share of what is correct, (n,)."""
    return f"{correct.sum():,} of {len(correct):,} ({correct.mean():.2%})"


def _format_p_value(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
