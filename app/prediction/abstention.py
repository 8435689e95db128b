"""Decides whether a model abstains, by the thresholds of its card."""

from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.schemas import Reason


def abstention_reason(thresholds: Abstention, classification: Classification) -> Reason | None:
    """Decide whether the model abstains.

    Returns:
        `not_a_digit` if the energy is too high, `unsure` if the confidence is too low, otherwise None.

    """
    if thresholds.energy is not None and classification.energy > thresholds.energy:
        return "not_a_digit"
    return "unsure" if classification.confidence < thresholds.confidence else None
