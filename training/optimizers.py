"""What changes the weights, given their gradients. Knows no network and no data."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from training.config import TrainingConfig


class Optimizer(Protocol):
    """An optimiser, as Keras has them."""

    variables: Sequence[tf.Variable]
    """What it keeps between steps."""

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Take one step."""


class GradientDescent:
    """Plain gradient descent: takes the rate times its gradient off each variable, and keeps nothing between steps.

    Keras has it too, and counts steps and converts rates besides, which is a twentieth of a step of softmax.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.variables: Sequence[tf.Variable] = ()

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Take one step."""
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(self._rate * gradient)


def build_optimizer(config: TrainingConfig, variables: Sequence[tf.Variable]) -> Optimizer:
    """Build the optimiser of the variables.

    The rate may have a warm-up and a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983).
    """
    if config.optimizer == "sgd" and not config.momentum and not config.warmup:
        return GradientDescent(config.learning_rate)
    rate: float | tf.keras.optimizers.schedules.LearningRateSchedule = config.learning_rate
    if config.warmup:
        rate = tf.keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, config.iterations - config.warmup),
            warmup_target=config.learning_rate,
            warmup_steps=config.warmup,
        )
    kind = tf.keras.optimizers.SGD if config.optimizer == "sgd" else tf.keras.optimizers.RMSprop
    optimizer: Optimizer = kind(rate, momentum=config.momentum)
    optimizer.build(variables)  # type: ignore[attr-defined]  # which Keras has as well
    return optimizer
