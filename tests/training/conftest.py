"""Shared fixtures of the tests of training. The fast tests do not import TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

from training.data.examples import Examples
from training.data.mnist import Mnist

TENSORFLOW_TESTS = {
    "test_affine_augmentation.py",
    "test_batch_preparation.py",
    "test_distillation.py",
    "test_export.py",
    "test_loop.py",
    "test_networks.py",
    "test_run.py",
    "test_strong_augmentation.py",
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip files that import TensorFlow, and have only slow tests, if the slow tests are deselected."""
    skipped = config.option.markexpr == "not slow" and collection_path.name in TENSORFLOW_TESTS
    return True if skipped else None


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
