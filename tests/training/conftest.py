"""Shared fixtures of the tests of training. The fast tests do not import TensorFlow."""

import numpy as np
import pytest

from training.data.examples import Examples
from training.data.mnist import Mnist


def draw_examples(count: int, seed: int = 0) -> Examples:
    """Draw images of ten classes that are easy to separate: a bright bar in a different row, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.int32)
    images = rng.integers(0, 60, (count, 28, 28))
    images[np.arange(count), 4 + 2 * labels, 4:24] = 255
    return Examples(images.astype(np.uint8), labels)


@pytest.fixture(scope="session")
def bars() -> Mnist:
    """Return a small and easy data set in the format of MNIST."""
    return Mnist(
        train=draw_examples(500, seed=1), validation=draw_examples(130, seed=2), test=draw_examples(170, seed=3)
    )
