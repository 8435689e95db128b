"""Decides whether a candidate may take the place of the version that is served. Knows cards and answers, no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.comparison import Contender, Measure, compare, comparison_table, read_right
from training.data import Examples

LEAST_FEEDBACK = 0.5
"""The share of the held-back feedback that a candidate taught with the rest of it must read right."""


@dataclass(frozen=True)
class Decision:
    """What the gate found: the comparison, and what speaks against the candidate, if anything does."""

    measures: Sequence[Measure]
    table: Sequence[str]
    objections: Sequence[str]
    reproduced: bool
    """Whether the candidate learnt what the served version learnt and answers as that does: nothing to publish."""

    def __str__(self) -> str:
        """Give the table, and under it each objection in a line."""
        return "\n".join([*self.table, *self.objections])

    def as_json(self, served: int, *, forced: bool) -> dict[str, Any]:
        """Give what the candidate's card keeps of it, `comparison` in `models/README.md`."""
        return {
            "with_version": served,
            "measures": [measure.as_json() for measure in self.measures],
            "objections": list(self.objections),
            "forced": forced,
        }


def decide(served: Contender, candidate: Contender, test: Examples, held_back: Examples | None = None) -> Decision:
    """Compare a candidate with the version that is served, and say what speaks against it.

    Nothing may be significantly worse, and something must be better or learnt from new data. What was held back of the
    feedback must agree with what was learnt from the rest: a store with shuffled labels does not.
    """
    measures = compare(served, candidate, test, held_back)
    objections = [f"{measure.name}: significantly worse." for measure in measures if measure.verdict == "worse"]
    if held_back is not None and len(held_back):
        objections += _doubt_feedback(candidate, held_back)
    if not is_new(candidate.card, served.card) and all(measure.verdict != "better" for measure in measures):
        objections.append(
            f"Nothing is significantly better than in {served.title}, and there is nothing new to learn from."
        )
    same_answers = np.array_equal(served.answer(test.images)[0], candidate.answer(test.images)[0])
    reproduced = same_answers and not is_new(candidate.card, served.card)
    return Decision(measures, comparison_table(served, candidate, measures), objections, reproduced)


def is_new(candidate: dict[str, Any], served: dict[str, Any]) -> bool:
    """Tell from two cards whether the candidate learnt from other data, or from images that were made otherwise."""
    return any(candidate[field] != served[field] for field in ("data", "preprocessing"))


def _doubt_feedback(candidate: Contender, held_back: Examples) -> list[str]:
    right = float(read_right(candidate, held_back).mean())
    if right >= LEAST_FEEDBACK:
        return []
    msg = (
        f"held-back feedback: {right:.0%} agrees with what was learnt from the rest of it, and {LEAST_FEEDBACK:.0%} is "
        "the least. Are its labels right?"
    )
    return [msg]
