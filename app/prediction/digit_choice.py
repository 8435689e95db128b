"""Chooses among candidates for digits that share ink, by what the classifier makes of them. Knows no HTTP."""

from collections.abc import Sequence

import numpy as np

from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.prediction.box_overlap import areas, intersection
from app.prediction.digit_finder import FoundDigit

Choice = tuple[FoundDigit, Classification]
"""A candidate and its classification."""

_SURE_FIND = 0.65
"""The least confidence of the finder in a digit that is kept though the model takes it for none."""
_DOUBT = 0.7
"""How far the energy of such a digit may be above the threshold, in nats."""
_CLEAR = 0.9
"""How far the energy of a clear digit is below the threshold, in nats."""
_MAX_HEIGHT = 1.35
"""The largest height of a 1, as a multiple of the median of all digits, unless the finder is sure of it."""
_SURE_ONE = 0.7
"""The least confidence of the finder in such a 1."""
_MAX_OVERLAP = 0.5
"""The largest share of a digit's box that may lie in the box of a more certain digit."""


def choose_digits(candidates: Sequence[Choice], thresholds: Abstention) -> list[Choice]:
    """Return the candidates that are digits, in the order of their clusters.

    Of each cluster, the division is chosen whose least digit-like candidate has the lowest energy: all parts of a right
    division are digits. What is clearly no digit by its energy is left out, and so is what lies within a more certain
    digit: a part of it, or the same digit seen twice.
    """
    clusters: dict[int, dict[int, list[Choice]]] = {}
    for candidate in candidates:
        divisions = clusters.setdefault(candidate[0].cluster, {})
        divisions.setdefault(candidate[0].division, []).append(candidate)
    chosen = [
        choice
        for divisions in clusters.values()
        for choice in min((_best_chain(division) for division in divisions.values()), key=_cost)
        if _may_be_digit(choice, thresholds)
    ]
    return _without_tall_signs(_without_overlaps(chosen))


def doubtful_clusters(candidates: Sequence[Choice], thresholds: Abstention) -> list[int]:
    """Return the clusters with a candidate that is no digit, or hardly one."""
    highest = -np.inf if thresholds.energy is None else thresholds.energy - _CLEAR
    return sorted({digit.cluster for digit, classification in candidates if classification.energy > highest})


def _may_be_digit(choice: Choice, thresholds: Abstention) -> bool:
    """Tell whether a candidate is a digit, or one of which the finder is sure and the model is not."""
    digit, classification = choice
    if not digit.image.any():
        return False
    if thresholds.energy is None:
        return True
    highest = thresholds.energy - digit.margin
    if digit.confidence >= _SURE_FIND and not digit.margin:
        highest += _DOUBT
    return classification.energy <= highest


def _cost(chain: Sequence[Choice]) -> float:
    """Return the energy of the least digit-like candidate, and the cost of the division."""
    return max((_energy(choice) for choice in chain), default=np.inf) + (chain[0][0].cost if chain else 0.0)


def _best_chain(division: Sequence[Choice]) -> list[Choice]:
    """Return the chain of candidates from the first to the last cut whose least digit-like one has the lowest energy.

    Empty if there is none.
    """
    best: dict[int, tuple[float, list[Choice]]] = {0: (-np.inf, [])}
    for choice in sorted(division, key=lambda choice: choice[0].start):
        digit, _ = choice
        if digit.start in best:
            highest, chain = best[digit.start]
            cost = max(highest, _energy(choice))
            if digit.end not in best or cost < best[digit.end][0]:
                best[digit.end] = cost, [*chain, choice]
    return best[max(digit.end for digit, _ in division)][1] if best else []


def _energy(choice: Choice) -> float:
    """Return the energy of a candidate, which is no digit if it has no ink."""
    digit, classification = choice
    return classification.energy if digit.image.any() else np.inf


def _without_overlaps(choices: Sequence[Choice]) -> list[Choice]:
    """Return the digits that do not lie within a more certain one."""
    if len(choices) < 2:
        return list(choices)
    boxes = [digit.box for digit, _ in choices]
    sizes = areas(boxes)
    is_overlapping = intersection(boxes, boxes) > _MAX_OVERLAP * np.minimum.outer(sizes, sizes)
    is_kept = np.zeros(len(choices), np.bool_)
    for index in np.argsort([classification.energy for _, classification in choices], kind="stable"):
        is_kept[index] = not (is_overlapping[index] & is_kept).any()
    return [choice for choice, kept in zip(choices, is_kept, strict=True) if kept]


def _without_tall_signs(choices: Sequence[Choice]) -> list[Choice]:
    """Return the digits without parentheses and slashes, which look like a 1 and are higher than the digits."""
    if len(choices) < 3:
        return list(choices)
    highest = _MAX_HEIGHT * float(np.median([digit.box[3] for digit, _ in choices]))
    return [
        (digit, classification)
        for digit, classification in choices
        if classification.digit != 1 or digit.confidence >= _SURE_ONE or digit.box[3] <= highest
    ]
