"""Labelled images in memory. Loads no files, and knows no network."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]

NOT_A_DIGIT = -1
"""The label of an image that shows no digit. MNIST has no such image."""


@dataclass(frozen=True)
class Examples:
    """Images and their labels.

    Images are uint8 (n, 28, 28), white ink (255) on black (0). Labels are int32 (n,): 0 to 9, or NOT_A_DIGIT.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> npt.NDArray[np.float32]:
        """The target probabilities, float32 (n, 10): one-hot at the label.

        An image without a digit has the uniform target of 0.1 for each digit: outlier exposure (Hendrycks et al. 2019,
        arXiv:1812.04606).
        """
        one_hot = np.eye(10, dtype=np.float32)[self.labels]
        one_hot[self.labels == NOT_A_DIGIT] = 0.1
        return one_hot

    def __getitem__(self, part: slice) -> "Examples":
        return Examples(self.images[part], self.labels[part])

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels]))


class LabelledImage(NamedTuple):
    """One image with its label and its origin."""

    origin: str
    """The path or URL of the file, for messages."""
    image: Images  # [28, 28]
    label: int
