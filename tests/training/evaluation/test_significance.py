import numpy as np
import pytest

from training.evaluation.significance import calibration_test, mcnemar_test


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 1, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (1, 7, 2 * 9 / 256), (515, 517, 0.9752)],
)
def test_the_mcnemar_test_is_a_binomial_test(only_first: int, only_second: int, expected: float) -> None:
    assert mcnemar_test(only_first, only_second) == pytest.approx(expected, rel=1e-3)


def test_the_mcnemar_test_supports_large_counts() -> None:
    assert 0 <= mcnemar_test(9_000, 500) < 1e-300


def test_overconfidence_is_significant_and_equal_calibration_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2_000).astype(np.int32)
    predicted = np.where(rng.random(2_000) < 0.9, labels, (labels + 1) % 10)

    def confident(share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        probabilities = np.full((2_000, 10), (1 - share) / 9)
        probabilities[np.arange(2_000), predicted] = share
        return probabilities

    assert calibration_test(confident(0.9), confident(0.99), labels) < 0.001
    assert calibration_test(confident(0.905), confident(0.905), labels) == 1
    shuffled = rng.permutation(2_000)
    assert calibration_test(confident(0.9), confident(0.9)[shuffled][np.argsort(shuffled)], labels) == 1
