"""A published version as the teacher of a network that learns: knowledge distillation. Knows nothing of that network.

Source: Hinton, Vinyals and Dean 2015, arXiv:1503.02531. That a teacher sees the very image that is learnt from, and not
another copy of it, is from Beyer et al. 2022, arXiv:2106.05237.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from training import export
from training.config import Distillation
from training.networks import flatten


@dataclass(frozen=True)
class Teacher:
    """What stands by while another network learns, and says what it makes of each image."""

    card: dict[str, Any]
    read: Callable[[tf.Tensor], tf.Tensor]
    """Gives its probabilities, float32 [B, 10], for images, float32 [B, 28, 28], ink 0 to 1."""
    distillation: Distillation

    def teach(self, images: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Give what to learn of a batch: the targets, float32 [B, 10], with their share of what the teacher says.

        Where it reads another digit than the label, one-hot [B, 10], or where there is none to read, the targets stay
        as they are: a correction is there to be learnt, and not to be argued with.
        """
        probabilities = self.read(images)
        read = tf.one_hot(tf.argmax(probabilities, axis=1), 10)
        right = tf.reduce_sum(labels * read, axis=1, keepdims=True) == 1  # no digit: each label has 0.1
        share = tf.where(right, self.distillation.share, 0.0)  # [B, 1]
        return (1 - share) * targets + share * soften(probabilities, self.distillation.temperature)

    def as_json(self) -> dict[str, Any]:
        """Give what the card of the version that learnt says of it."""
        return {field: self.card[field] for field in ("name", "version", "files")}


def load_teacher(folder: Path, distillation: Distillation) -> Teacher:
    """Load a published version as a teacher, or raise ArtefactError if its files are not its own."""
    card = export.read_card(folder)
    servable = tf.saved_model.load(folder)  # its functions live only as long as this does
    return Teacher(card, lambda images: servable.predict_images(flatten(images))["scores"], distillation)


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Divide the logarithms of probabilities by a temperature, and normalise them anew: [B, 10] -> [B, 10]."""
    return tf.nn.softmax(tf.math.log(probabilities + 1e-30) / temperature)  # one may have come to nothing
