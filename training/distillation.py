"""Knowledge distillation: a published version is the teacher of a network. Independent of the network that is trained.

Source: Hinton, Vinyals and Dean 2015, arXiv:1503.02531. As in Beyer et al. 2022, arXiv:2106.05237, the teacher
classifies the same augmented images that the network is trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from training.networks import flatten
from training.publishing import artefacts
from training.recipes import Distillation


@dataclass(frozen=True)
class Teacher:
    """A model whose probabilities become part of the targets."""

    card: dict[str, Any]
    predict: Callable[[tf.Tensor], tf.Tensor]
    """From images, float32 [B, 28, 28], ink 0 to 1, to probabilities, float32 [B, 10]."""
    distillation: Distillation

    def distill(self, images: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Replace a share of each target by the softened probabilities of the teacher.

        The target is unchanged if the teacher does not predict the label, or if the image shows no digit. So
        corrections override the teacher.

        Args:
            images: float32 [B, 28, 28], ink 0 to 1.
            labels: float32 [B, 10], one-hot, or 0.1 for each digit if the image shows none.
            targets: float32 [B, 10].

        Returns:
            float32 [B, 10].

        """
        probabilities = self.predict(images)
        predicted = tf.one_hot(tf.argmax(probabilities, axis=1), 10)
        correct = tf.reduce_sum(labels * predicted, axis=1, keepdims=True) == 1  # never 1 for an image without a digit
        share = tf.where(correct, self.distillation.share, 0.0)  # [B, 1]
        return (1 - share) * targets + share * soften(probabilities, self.distillation.temperature)


def load_teacher(folder: Path, distillation: Distillation) -> Teacher:
    """Load a published version as a teacher. Raises ArtefactError if its files do not match its model card."""
    card = artefacts.read_card(folder)
    servable = tf.saved_model.load(folder)  # the lambda keeps it alive, and with it the variables of its functions
    return Teacher(card, lambda images: servable.predict_images(flatten(images))["scores"], distillation)


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Divide log-probabilities by a temperature and normalise: [B, 10] -> [B, 10]."""
    return tf.nn.softmax(tf.math.log(probabilities + 1e-30) / temperature)  # a probability can underflow to 0
