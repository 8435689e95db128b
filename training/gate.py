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
    """Whether the candidate answers just as the served version does, for images that are made as it knows them.

    Then there is nothing to publish, whatever it learnt from.
    """

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
    reproduced = same_answers and candidate.card["preprocessing"] == served.card["preprocessing"]
    return Decision(measures, comparison_table(served, candidate, measures), objections, reproduced)


def is_new(candidate: dict[str, Any], served: dict[str, Any]) -> bool:
    """Tell from two cards whether the candidate learnt what the served version did not, or from images made otherwise.

    Another MNIST is new, and so is a source that the served version did not have. To have lost one is not: the next
    plain run would take back what people corrected.
    """
    if candidate["preprocessing"] != served["preprocessing"]:
        return True
    if any(candidate["data"][field] != served["data"][field] for field in ("files", "split")):
        return True
    known = {source["sha256"] for source in _sources(served)}
    return any(source["learnt"] > 0 and source["sha256"] not in known for source in _sources(candidate))


def _sources(card: dict[str, Any]) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = card["data"].get("also", [])
    return sources


def _doubt_feedback(candidate: Contender, held_back: Examples) -> list[str]:
    right = float(read_right(candidate, held_back).mean())
    if right >= LEAST_FEEDBACK:
        return []
    msg = (
        f"held-back feedback: {right:.0%} agrees with what was learnt from the rest of it, and {LEAST_FEEDBACK:.0%} is "
        "the least. Are its labels right?"
    )
    return [msg]
