"""Whether two models that answered the same questions really differ. Knows arrays and counts, no models."""

import math

import numpy as np
import numpy.typing as npt

from training.data import Labels
from training.evaluate import CALIBRATION_BINS, Floats, bin_by_confidence

RESAMPLES = 2_000


def mcnemar(only_before: int, only_after: int) -> float:
    """Give the two-sided p-value that as many are read right by one model alone as by the other alone.

    The exact test (McNemar 1947, doi:10.1007/BF02295996): under the null each of these is a fair coin.
    """
    total = only_before + only_after
    fewer = min(only_before, only_after)
    tail = sum(math.comb(total, heads) for heads in range(fewer + 1))
    return float(min(1.0, 2 * tail / (1 << total)))


def calibration_difference(before: Floats, after: Floats, labels: Labels, seed: int = 0) -> float:
    """Give the two-sided p-value that two sets of probabilities, (n, 10), have the same expected calibration error.

    By a paired bootstrap (Efron 1979, doi:10.1214/aos/1176344552): the same images are drawn anew for both.
    """
    rng = np.random.default_rng(seed)
    gaps = [_gaps(probabilities, labels) for probabilities in (before, after)]  # [n], and the bin of each
    changes = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        times = np.bincount(rng.integers(0, len(labels), len(labels)), minlength=len(labels))
        errors = [
            np.abs(np.bincount(bins, weights=times * gap, minlength=CALIBRATION_BINS)).sum() for gap, bins in gaps
        ]
        changes[index] = errors[1] - errors[0]
    return min(1.0, 2 * min(float((changes >= 0).mean()), float((changes <= 0).mean())))


def _gaps(probabilities: Floats, labels: Labels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    confidence, bins = bin_by_confidence(probabilities)
    return (probabilities.argmax(axis=1) == labels) - confidence, bins
