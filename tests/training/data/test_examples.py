import numpy as np

from training.data.examples import NOT_A_DIGIT, Examples
from training.data.mnist import Mnist


def test_targets_are_one_hot() -> None:
    labels = np.array([3, 0], np.int32)
    targets = Examples(np.zeros((2, 28, 28), np.uint8), labels).targets
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets.argmax(axis=1), labels)
    np.testing.assert_array_equal(targets.sum(axis=1), [1, 1])


def test_the_target_of_an_image_without_a_digit_is_uniform() -> None:
    labels = np.array([NOT_A_DIGIT, 9], np.int32)
    nothing, nine = Examples(np.zeros((2, 28, 28), np.uint8), labels).targets
    assert nothing.tolist() == [np.float32(0.1)] * 10
    assert nine.tolist() == [0] * 9 + [1]


def test_examples_are_concatenated_in_order(bars: Mnist) -> None:
    joined = bars.validation + bars.test
    np.testing.assert_array_equal(joined.labels, [*bars.validation.labels, *bars.test.labels])
    np.testing.assert_array_equal(joined.images[130:], bars.test.images)
