"""Decides when a model abstains: thresholds of confidence and energy, and the reason for each image.

The thresholds are those with the lowest cost of abstention. Knows only arrays of numbers.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.data.examples import NOT_A_DIGIT, Labels
from training.evaluation.metrics import Floats

ERROR_COST = 2.0
"""The cost of a wrong digit that is trusted, in abstentions. At this cost, a calibrated model abstains if its
prediction is more likely wrong than right."""
SYMBOL_COST = ERROR_COST / 10
"""The cost of a symbol that is trusted, in abstentions: that of a wrong digit, but only one picture without a digit is
expected for ten with one. Of 497 real pictures that were sent to such services, 39 had none."""

_CONFIDENCES = np.arange(0.3, 0.991, 0.01)
_HIGHEST_ENERGIES = 0.2
"""The largest share of the digits that an energy threshold may reject."""


class AbstentionRates(NamedTuple):
    """How often a model is wrong or abstains with certain thresholds."""

    errors_trusted: float
    """The share of the digits that the model classifies wrongly without abstaining."""
    digits_abstained: float
    """The share of the digits for which the model abstains."""
    symbols_trusted: float
    """The share of the images without a digit for which the model does not abstain; 0 if there are none."""

    @property
    def cost(self) -> float:
        """The cost, in abstentions for each digit."""
        return ERROR_COST * self.errors_trusted + self.digits_abstained + SYMBOL_COST * self.symbols_trusted


def energy(logits: Floats) -> npt.NDArray[np.float64]:
    """Return the energy of each row, (n, 10) -> (n,). It is high for images unlike the training images.

    Source: Liu et al. 2020, arXiv:2010.03759.
    """
    energies: npt.NDArray[np.float64] = -np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    return energies


def choose_thresholds(
    logits: Floats, probabilities: Floats, labels: Labels, *, with_energy: bool
) -> dict[str, float | None]:
    """Return the thresholds `confidence` and `energy` with the lowest cost; of equal ones, those that abstain least.

    Args:
        logits: (n, 10).
        probabilities: (n, 10).
        labels: (n,), with NOT_A_DIGIT for images that show none.
        with_energy: Whether there is an energy threshold.

    """
    is_digit = labels != NOT_A_DIGIT
    is_correct = probabilities.argmax(axis=1) == labels
    confidences, energies = probabilities.max(axis=1), energy(logits)
    highest = [np.inf]
    if with_energy:
        quantiles = np.quantile(energies[is_digit], np.linspace(1, 1 - _HIGHEST_ENERGIES, 201))
        highest = np.unique(quantiles.round(2))[::-1].tolist()
    options = [(float(limit), round(float(lowest), 2)) for limit in highest for lowest in _CONFIDENCES]
    best = min(
        options,
        key=lambda option: _rates((energies <= option[0]) & (confidences >= option[1]), is_correct, is_digit).cost,
    )
    return {"confidence": best[1], "energy": best[0] if with_energy else None}


def measure_abstention(
    logits: Floats, probabilities: Floats, labels: Labels, thresholds: dict[str, float | None]
) -> AbstentionRates:
    """Measure the rates with these thresholds: logits and probabilities (n, 10), labels (n,)."""
    reasons = abstention_reasons(logits, probabilities, thresholds)
    is_trusted = np.array([reason is None for reason in reasons], bool)
    return _rates(is_trusted, probabilities.argmax(axis=1) == labels, labels != NOT_A_DIGIT)


def _rates(
    is_trusted: npt.NDArray[np.bool_], is_correct: npt.NDArray[np.bool_], is_digit: npt.NDArray[np.bool_]
) -> AbstentionRates:
    digits, symbols = max(int(is_digit.sum()), 1), max(int((~is_digit).sum()), 1)
    return AbstentionRates(
        int((is_trusted & ~is_correct & is_digit).sum()) / digits,
        int((~is_trusted & is_digit).sum()) / digits,
        int((is_trusted & ~is_digit).sum()) / symbols,
    )


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
