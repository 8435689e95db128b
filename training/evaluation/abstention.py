"""Decides when a model abstains: thresholds of confidence and energy, and the reason for each image.

Knows only arrays of numbers.
"""

import numpy as np
import numpy.typing as npt

from training.evaluation.metrics import Floats


def energy(logits: Floats) -> npt.NDArray[np.float64]:
    """Return the energy of each row, (n, 10) -> (n,). It is high for images unlike the training images.

    Source: Liu et al. 2020, arXiv:2010.03759.
    """
    energies: npt.NDArray[np.float64] = -np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    return energies


def choose_confidence_threshold(probabilities: Floats, rate: float) -> float:
    """Return the confidence below which a share `rate` of these predictions lies: probabilities (n, 10)."""
    return float(np.quantile(probabilities.max(axis=1), rate))


def choose_energy_threshold(logits: Floats, rate: float) -> float:
    """Return the energy above which a share `rate` of these predictions lies: logits (n, 10)."""
    return float(np.quantile(energy(logits), 1 - rate))


def abstention_reasons(logits: Floats, probabilities: Floats, thresholds: dict[str, float | None]) -> list[str | None]:
    """Return the reason to abstain for each row, or None.

    The reason is `not_a_digit` if the energy is above the threshold `energy`, and otherwise `unsure` if the confidence
    is below the threshold `confidence`. A threshold of None never applies.
    """
    min_confidence, max_energy = thresholds["confidence"], thresholds["energy"]
    unsure = probabilities.max(axis=1) < (0 if min_confidence is None else min_confidence)
    not_a_digit = energy(logits) > (np.inf if max_energy is None else max_energy)
    return [
        "not_a_digit" if no_digit else "unsure" if low_confidence else None
        for no_digit, low_confidence in zip(not_a_digit, unsure, strict=True)
    ]
