import numpy as np
import pytest

from training.significance import calibration_difference, mcnemar


@pytest.mark.parametrize(
    ("only_before", "only_after", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 1, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (1, 7, 2 * 9 / 256), (515, 517, 0.9752)],
)
def test_mcnemar_is_the_test_of_a_fair_coin(only_before: int, only_after: int, expected: float) -> None:
    assert mcnemar(only_before, only_after) == pytest.approx(expected, rel=1e-3)


def test_mcnemar_of_thousands_is_a_number() -> None:
    assert 0 <= mcnemar(9_000, 500) < 1e-300


def test_a_boaster_is_told_from_an_honest_model_and_equals_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2_000).astype(np.int32)
    guesses = np.where(rng.random(2_000) < 0.9, labels, (labels + 1) % 10)

    def sure(share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        probabilities = np.full((2_000, 10), (1 - share) / 9)
        probabilities[np.arange(2_000), guesses] = share
        return probabilities

    assert calibration_difference(sure(0.9), sure(0.99), labels) < 0.001
    assert calibration_difference(sure(0.905), sure(0.905), labels) == 1
    shuffled = rng.permutation(2_000)
    assert calibration_difference(sure(0.9), sure(0.9)[shuffled][np.argsort(shuffled)], labels) == 1
