"""Tests of whether two models differ significantly on the same images. Knows only arrays and counts."""

import math

import numpy as np
import numpy.typing as npt

from training.data.examples import Labels
from training.evaluation.metrics import CALIBRATION_BINS, Floats, bin_by_confidence

RESAMPLES = 2_000


def mcnemar_test(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    The null hypothesis: if exactly one of two models classifies an image correctly, either model is equally likely to
    be that one. Source: McNemar 1947, doi:10.1007/BF02295996.

    Args:
        only_first: How many images only the first model classifies correctly.
        only_second: How many images only the second model classifies correctly.

    """
    total = only_first + only_second
    smaller = min(only_first, only_second)
    tail = sum(math.comb(total, count) for count in range(smaller + 1))
    return float(min(1.0, 2 * tail / (1 << total)))


def calibration_test(first: Floats, second: Floats, labels: Labels, seed: int = 0) -> float:
    """Return the two-sided p-value that two models have the same expected calibration error.

    A paired bootstrap: each resample has the same images for both models. Source: Efron 1979,
    doi:10.1214/aos/1176344552.

    Args:
        first: The probabilities of the first model, (n, 10).
        second: The probabilities of the second model, (n, 10).
        labels: (n,).
        seed: The seed of the resampling.

    """
    rng = np.random.default_rng(seed)
    gaps = [_calibration_gaps(probabilities, labels) for probabilities in (first, second)]
    differences = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        counts = np.bincount(rng.integers(0, len(labels), len(labels)), minlength=len(labels))
        errors = [
            np.abs(np.bincount(bins, weights=counts * gap, minlength=CALIBRATION_BINS)).sum() for gap, bins in gaps
        ]
        differences[index] = errors[1] - errors[0]
    return min(1.0, 2 * min(float((differences >= 0).mean()), float((differences <= 0).mean())))


def _calibration_gaps(probabilities: Floats, labels: Labels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return, for each image, correctness minus confidence, and the index of its confidence bin: (n,) each."""
    confidence, bins = bin_by_confidence(probabilities)
    return (probabilities.argmax(axis=1) == labels) - confidence, bins
