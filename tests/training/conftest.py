"""What the tests of training stand on: digits drawn in code, and a way around TensorFlow for the everyday suite."""

from pathlib import Path

import numpy as np
import pytest

from training.data import Examples, Mnist

NEED_TENSORFLOW = {
    "test_augmentation.py",
    "test_disturbances.py",
    "test_export.py",
    "test_loop.py",
    "test_networks.py",
    "test_run.py",
    "test_teacher.py",
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where the slow tests are left out, do not even import the files that hold nothing else."""
    left_out = config.option.markexpr == "not slow" and collection_path.name in NEED_TENSORFLOW
    return True if left_out else None


def draw_examples(count: int, seed: int = 0) -> Examples:
    """Draw ten kinds of picture that are easy to tell apart: a bright bar in a row of its own, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.int32)
    images = rng.integers(0, 60, (count, 28, 28))
    images[np.arange(count), 4 + 2 * labels, 4:24] = 255
    return Examples(images.astype(np.uint8), labels)


@pytest.fixture(scope="session")
def bars() -> Mnist:
    """Give a data set in MNIST's form that is small and easy."""
    return Mnist(
        train=draw_examples(500, seed=1), validation=draw_examples(130, seed=2), test=draw_examples(170, seed=3)
    )
