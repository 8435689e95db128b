"""The optimisers, which change the weights of a network by their gradients. Knows no network and no data."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from training.recipes import TrainingRecipe


class Optimizer(Protocol):
    """The part of the interface of Keras optimisers that training uses."""

    variables: Sequence[tf.Variable]
    """The state between steps."""

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Update the variables by one step."""


class GradientDescent:
    """Gradient descent without momentum: subtracts the learning rate times the gradient. It has no state.

    The optimiser of Keras also counts steps and casts rates, which takes a part of the time of a softmax step.
    """

    def __init__(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self.variables: Sequence[tf.Variable] = ()

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Update the variables by one step."""
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(self._learning_rate * gradient)


def build_optimizer(recipe: TrainingRecipe, variables: Sequence[tf.Variable]) -> Optimizer:
    """Build the optimiser of a recipe.

    If the recipe has a warm-up, the learning rate follows a cosine after it (Loshchilov and Hutter 2017,
    arXiv:1608.03983).
    """
    if recipe.optimizer == "sgd" and not recipe.momentum and not recipe.warmup:
        return GradientDescent(recipe.learning_rate)
    learning_rate: float | tf.keras.optimizers.schedules.LearningRateSchedule = recipe.learning_rate
    if recipe.warmup:
        learning_rate = tf.keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, recipe.iterations - recipe.warmup),
            warmup_target=recipe.learning_rate,
            warmup_steps=recipe.warmup,
        )
    optimizer_class = tf.keras.optimizers.SGD if recipe.optimizer == "sgd" else tf.keras.optimizers.RMSprop
    optimizer: Optimizer = optimizer_class(learning_rate, momentum=recipe.momentum)
    optimizer.build(variables)  # type: ignore[attr-defined]  # a method of every Keras optimiser
    return optimizer
