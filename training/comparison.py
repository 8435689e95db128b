"""Two models measured side by side on the same images, and whether one is better. Publishes and refuses nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.corruptions import corrupt_in_turn
from training.data import NOT_A_DIGIT, Examples, Images
from training.evaluate import doubts, expected_calibration_error
from training.pictures import Answer
from training.significance import calibration_difference, mcnemar

Verdict = Literal["better", "worse", "same"]

LEVEL = 0.05
"""The chance, shared by all tests of a comparison, to call two equal models different (Bonferroni)."""
CALIBRATION_TOLERANCE = 0.001
"""How much the expected calibration error may differ and still count as the same."""
COST_TOLERANCE = 0.1
"""By what share the cost of an image may differ and still count as the same."""
SPEED_IMAGES = 500
SPEED_ROUNDS = 25


@dataclass(frozen=True)
class Contender:
    """A model in a comparison."""

    title: str
    card: dict[str, Any]
    answer: Answer


@dataclass(frozen=True)
class Measure:
    """One row of a comparison."""

    name: str
    before: str
    after: str
    verdict: Verdict
    p: float | None = None
    """How likely such a difference is by chance; None: nothing here is left to chance."""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give the row as the values that JSON has."""
        return {"name": self.name, "before": self.before, "after": self.after, "p": self.p, "verdict": self.verdict}


def compare(before: Contender, after: Contender, test: Examples, held_back: Examples | None = None) -> list[Measure]:
    """Measure two models on the test part, on a corrupted copy of it, on held-back feedback if there is any, by cost.

    Each test of significance has its share of LEVEL, so that two equal models are rarely called different.
    """
    corrupted = Examples(corrupt_in_turn(test.images), test.labels)
    parts = {"MNIST test": test, "corrupted test": corrupted}
    if held_back is not None and len(held_back):
        parts["held-back feedback"] = held_back
    level = LEVEL / (len(parts) + 2)
    return [
        *(_compare_reading(name, before, after, part, level) for name, part in parts.items()),
        _compare_calibration(before, after, test, level),
        _compare_multiply_adds(before, after),
        _compare_speed(before, after, test.images[:SPEED_IMAGES], level),
    ]


def read_right(contender: Contender, examples: Examples) -> npt.NDArray[np.bool_]:
    """Say of each example whether it is read right, (n,): a digit by its label, what is no digit by abstaining."""
    logits, probabilities = contender.answer(examples.images)
    abstained = [doubt is not None for doubt in doubts(logits, probabilities, contender.card["abstention"])]
    return np.where(examples.labels == NOT_A_DIGIT, abstained, probabilities.argmax(axis=1) == examples.labels)


def comparison_table(before: Contender, after: Contender, measures: Sequence[Measure]) -> list[str]:
    """Give the lines of the table, as Markdown."""
    rows = [
        f"| {row.name} | {row.before} | {row.after} | {_chance(row.p)} | {row.verdict} | {row.note} |"
        for row in measures
    ]
    return [f"| | {before.title} | {after.title} | p | verdict | |", "|---|---:|---:|---:|---|---|", *rows]


def _compare_reading(name: str, before: Contender, after: Contender, examples: Examples, level: float) -> Measure:
    right_before, right_after = (read_right(contender, examples) for contender in (before, after))
    lost, won = int((right_before & ~right_after).sum()), int((right_after & ~right_before).sum())
    p = mcnemar(lost, won)
    note = f"{won} won, {lost} lost"
    return Measure(
        f"{name}, right", _share(right_before), _share(right_after), _verdict(won - lost, p < level), p, note
    )


def _compare_calibration(before: Contender, after: Contender, test: Examples, level: float) -> Measure:
    answers_before, answers_after = (contender.answer(test.images)[1] for contender in (before, after))
    old, new = (expected_calibration_error(answers, test.labels) for answers in (answers_before, answers_after))
    p = calibration_difference(answers_before, answers_after, test.labels)
    verdict = _verdict(old - new, p < level and abs(new - old) > CALIBRATION_TOLERANCE)
    return Measure("calibration error", f"{old:.2%}", f"{new:.2%}", verdict, p)


def _compare_multiply_adds(before: Contender, after: Contender) -> Measure:
    old, new = (contender.card["multiply_adds"] for contender in (before, after))
    return Measure("multiply-adds", f"{old:,}", f"{new:,}", _verdict(old - new, _beyond_tolerance(new / old)))


def _compare_speed(before: Contender, after: Contender, images: Images, level: float) -> Measure:
    """Time both in turn, so that what else the machine does strikes both; the sign test is McNemar's of two equals."""
    rounds = [(_seconds(before, images), _seconds(after, images)) for _ in range(SPEED_ROUNDS + 1)][
        1:
    ]  # one to warm up
    slower = sum(after_took > before_took for before_took, after_took in rounds)
    p = mcnemar(slower, SPEED_ROUNDS - slower)
    ratio = median(after_took / before_took for before_took, after_took in rounds)
    old, new = (f"{median(times) / len(images) * 1e6:.0f} µs" for times in zip(*rounds, strict=True))
    return Measure("time for an image", old, new, _verdict(1 - ratio, p < level and _beyond_tolerance(ratio)), p)


def _seconds(contender: Contender, images: Images) -> float:
    started = time.perf_counter()
    contender.answer(images)
    return time.perf_counter() - started


def _beyond_tolerance(ratio: float) -> bool:
    return not 1 / (1 + COST_TOLERANCE) <= ratio <= 1 + COST_TOLERANCE


def _verdict(gain: float, matters: bool) -> Verdict:  # noqa: FBT001 (the two sides of one question)
    if not matters:
        return "same"
    return "better" if gain > 0 else "worse"


def _share(right: npt.NDArray[np.bool_]) -> str:
    return f"{right.sum():,} of {len(right):,} ({right.mean():.2%})"


def _chance(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
