"""What a model says of images: all the numbers as arrays, those of one image as Python's own. Knows no images."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Classification(NamedTuple):
    """What is said of one image."""

    digit: int
    """The most probable."""
    confidence: float
    """The probability of that digit."""
    probabilities: list[float]
    """Of 0 to 9, to six decimals."""
    energy: float
    """-log(sum(exp(logits))): high where an image is like nothing that the model was taught (Liu et al., 2020,
    Energy-based Out-of-distribution Detection)."""


class Scores:
    """What a model says of n images."""

    def __init__(self, probabilities: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
        self.probabilities = probabilities
        """[n, 10], calibrated."""
        self.logits = logits
        """[n, 10]."""
        self._whole: tuple[Scores, slice] | None = None
        self._verdicts: list[Classification] | None = None

    @classmethod
    def concatenate(cls, parts: Iterable["Scores"]) -> Self:
        """Put several one behind the other."""
        listed = list(parts)
        return cls(
            np.concatenate([part.probabilities for part in listed]), np.concatenate([part.logits for part in listed])
        )

    def part(self, start: int, end: int) -> "Scores":
        """Give those of the images `start` to `end`, exclusive."""
        images = slice(start, end)
        part = Scores(self.probabilities[images], self.logits[images])
        part._whole = self, images
        return part

    @property
    def classifications(self) -> list[Classification]:
        """Of each image, in order.

        Those of a part are made with those of the whole: NumPy takes as long for one image as for thirty.
        """
        if self._verdicts is None:
            if self._whole is None:
                self._verdicts = self._judge()
            else:
                whole, images = self._whole
                self._verdicts = whole.classifications[images]
        return self._verdicts

    def _judge(self) -> list[Classification]:
        digits = self.probabilities.argmax(axis=1).tolist()
        exact = self.probabilities.tolist()
        rounded = self.probabilities.astype(np.float64).round(6).tolist()
        energies = (-np.logaddexp.reduce(self.logits, axis=1)).tolist()
        return [
            Classification(digit, probabilities[digit], row, energy)
            for digit, probabilities, row, energy in zip(digits, exact, rounded, energies, strict=True)
        ]
