"""MNIST's test digits, in a random order."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.textures import Generator, Grey


class TestDigits(NamedTuple):
    """MNIST's test part."""

    images: NDArray[np.uint8]
    """uint8 (n, 28, 28), white on black."""
    labels: NDArray[np.uint8]
    """uint8 (n,)."""

    def drawn_from(self, rng: Generator) -> Iterator[tuple[Grey, int]]:
        """Yield digits and their labels in a random order, again and again."""
        while True:
            for index in rng.permutation(len(self.labels)):
                yield self.images[index], int(self.labels[index])


def read_test_digits(folder: Path) -> TestDigits:
    """Read MNIST's test files in a folder.

    Raises:
        FileNotFoundError: if the folder lacks one of the two files.

    """
    images, labels = (
        np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=offset)
        for name, offset in (("t10k-images-idx3-ubyte.gz", 16), ("t10k-labels-idx1-ubyte.gz", 8))
    )
    return TestDigits(images.reshape(-1, 28, 28), labels)
