"""Decides whether a candidate may replace the served version, by their model cards and predictions. Reads no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.examples import Examples
from training.evaluation.comparison import ComparedModel, Measure, compare, comparison_table, correct_predictions
from training.provenance import has_other_preprocessing

MIN_FEEDBACK_ACCURACY = 0.5
"""The smallest accuracy on held-out feedback of a candidate that was trained on the rest of the feedback."""


@dataclass(frozen=True)
class Decision:
    """The decision of the gate: the comparison, and the objections to the candidate."""

    measures: Sequence[Measure]
    table: Sequence[str]
    objections: Sequence[str]
    reproduced: bool
    """Whether the candidate has the same logits as the served version, and its training the same preprocessing.

    Such a candidate is not published, whatever it was trained on.
    """

    def __str__(self) -> str:
        """Return the table and the objections, each on a line."""
        return "\n".join([*self.table, *self.objections])

    def as_json(self, served_version: int, *, forced: bool) -> dict[str, Any]:
        """Return the field `comparison` of the candidate's `model.json`. `models/README.md` describes it."""
        return {
            "with_version": served_version,
            "measures": [measure.as_json() for measure in self.measures],
            "objections": list(self.objections),
            "forced": forced,
        }


def decide(
    served: ComparedModel, candidate: ComparedModel, test: Examples, held_out: Examples | None = None
) -> Decision:
    """Compare a candidate with the served version and collect the objections to the candidate.

    There are three objections:

    - A measure is significantly worse.
    - No measure is significantly better, and the candidate has no new training data.
    - The accuracy on the held-out feedback is below MIN_FEEDBACK_ACCURACY, for example because labels are
      shuffled.

    """
    measures = compare(served, candidate, test, held_out)
    objections = list_worse(measures)
    if held_out is not None and len(held_out):
        objections += _check_feedback(candidate, held_out)
    if not has_new_data(candidate.card, served.card) and all(measure.verdict != "better" for measure in measures):
        objections.append(f"Nothing is significantly better than in {served.title}, and there is no new training data.")
    same_logits = np.array_equal(served.classify(test.images)[0], candidate.classify(test.images)[0])
    reproduced = same_logits and not has_other_preprocessing(candidate.card, served.card)
    return Decision(measures, comparison_table(served.title, candidate.title, measures), objections, reproduced)


def list_worse(measures: Sequence[Measure]) -> list[str]:
    """Return an objection for each measure that is significantly worse."""
    return [f"{measure.name}: significantly worse." for measure in measures if measure.verdict == "worse"]


def has_new_data(candidate: dict[str, Any], served: dict[str, Any]) -> bool:
    """Compare two model cards: return whether the candidate has new training data or new preprocessing.

    A different MNIST and an additional source are new data. A missing source is not: otherwise the next run without
    sources would undo the corrections of the users.
    """
    if has_other_preprocessing(candidate, served):
        return True
    if any(candidate["data"][field] != served["data"][field] for field in ("files", "split")):
        return True
    known = {source["sha256"] for source in _sources(served)}
    return any(source["learnt"] > 0 and source["sha256"] not in known for source in _sources(candidate))


def _sources(card: dict[str, Any]) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = card["data"].get("also", [])
    return sources


def _check_feedback(candidate: ComparedModel, held_out: Examples) -> list[str]:
    accuracy = float(correct_predictions(candidate, held_out).mean())
    if accuracy >= MIN_FEEDBACK_ACCURACY:
        return []
    msg = (
        f"held-back feedback: the accuracy is {accuracy:.0%}; expected at least {MIN_FEEDBACK_ACCURACY:.0%} after "
        "training on the rest of the feedback. Check its labels."
    )
    return [msg]
