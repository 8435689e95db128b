"""The output of a model for a batch of images, as arrays and as one classification per image.

Does not contain the images.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Classification(NamedTuple):
    """The output of a model for one image, as Python objects."""

    digit: int
    """The digit with the highest probability."""
    confidence: float
    """The probability of that digit."""
    probabilities: list[float]
    """Of the digits 0 to 9, rounded to six decimals."""
    energy: float
    """-log(sum(exp(logits))): high for an image unlike those that the model was trained on (Liu et al., 2020,
    Energy-based Out-of-distribution Detection)."""


class Scores:
    """The output of a model for n images: probabilities and logits."""

    def __init__(self, probabilities: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
        self.probabilities = probabilities
        """[n, 10], calibrated."""
        self.logits = logits
        """[n, 10]."""
        self._batch: tuple[Scores, slice] | None = None  # the scores that these are a slice of
        self._classifications: list[Classification] | None = None

    @classmethod
    def concatenate(cls, parts: Iterable["Scores"]) -> Self:
        """Concatenate scores along the first axis."""
        listed = list(parts)
        return cls(
            np.concatenate([part.probabilities for part in listed]), np.concatenate([part.logits for part in listed])
        )

    def slice(self, start: int, end: int) -> "Scores":
        """Return the scores of the images from `start` to `end`, exclusive."""
        images = slice(start, end)
        part = Scores(self.probabilities[images], self.logits[images])
        part._batch = self, images
        return part

    @property
    def classifications(self) -> list[Classification]:
        """The classification of each image, in order.

        A slice takes its classifications from those of the whole batch: NumPy takes as long for one image as for
        thirty.
        """
        if self._classifications is None:
            if self._batch is None:
                self._classifications = self._classify()
            else:
                batch, images = self._batch
                self._classifications = batch.classifications[images]
        return self._classifications

    def _classify(self) -> list[Classification]:
        digits = self.probabilities.argmax(axis=1).tolist()
        exact = self.probabilities.tolist()
        rounded = self.probabilities.astype(np.float64).round(6).tolist()
        energies = (-np.logaddexp.reduce(self.logits, axis=1)).tolist()
        return [
            Classification(digit, probabilities[digit], row, energy)
            for digit, probabilities, row, energy in zip(digits, exact, rounded, energies, strict=True)
        ]
