"""The training loop of the finder. Knows no pages but those that it is given, and no publishing."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from training.callbacks import CheckpointStore, restore
from training.data.pages import Pages
from training.finder.network import FinderNetwork
from training.finder.recipe import FinderRecipe
from training.finder.report import ink_f1
from training.progress import HistoryPoint, OnProgress, Progress

VALIDATION_INTERVAL = 250
"""Iterations between two points of the training curves."""
_VALIDATION_BATCH = 50
_POSITIVE_WEIGHT = 2.0
"""The weight of a cell with ink or core. Few cells have any: without it, faint digits are left out."""
_CELL_WEIGHT = 10.0
_OVERLAP_WEIGHT = 0.3
"""The weights of the two terms of the loss: at the beginning both are about 1, later a cell counts more."""
_OVERLAP_SMOOTHING = 5.0
"""Cells that are added to both areas of the overlap, so that a page without a digit has one, too."""


def train_finder(  # noqa: PLR0913, PLR0917 (what a run consists of)
    network: FinderNetwork,
    recipe: FinderRecipe,
    pages: Iterator[Pages],
    validation: Pages,
    on_progress: OnProgress = lambda _iteration, _point: None,
    checkpoint: CheckpointStore | None = None,
) -> list[HistoryPoint]:
    """Train the network in place, on the batches of `pages`, and return the training curves.

    If `checkpoint` has progress, the run continues from there, and `pages` has to start with the next batch.
    """
    optimizer = tf.keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    optimizer.build(network.trainable_variables)
    variables = [*network.variables, *optimizer.variables]
    done, history = restore(variables, checkpoint)
    take_step = _compile_step(network, optimizer)
    compiled_network = tf.function(network, reduce_retracing=True)
    losses = []
    for iteration in range(done + 1, recipe.iterations + 1):
        optimizer.learning_rate.assign(learning_rate(recipe, iteration))
        batch = next(pages)
        losses.append(float(take_step(batch.pictures, batch.ink, batch.cores)))
        on_progress(iteration, history[-1] if history else None)
        if iteration % VALIDATION_INTERVAL == 0 or iteration == recipe.iterations:
            score = ink_f1(_find_ink(compiled_network, validation), validation.ink, 0.5)
            history.append(HistoryPoint(iteration, float(np.mean(losses)), score))
            losses = []
            if checkpoint:
                checkpoint.save(Progress(iteration, [variable.numpy() for variable in variables], list(history)))
    return history


def learning_rate(recipe: FinderRecipe, iteration: int) -> float:
    """Return the learning rate at an iteration: it rises linearly, then falls to 0 along a cosine."""
    rise = min(iteration / max(recipe.warmup, 1), 1.0)
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * iteration / recipe.iterations))


def finder_loss(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the loss of the maps of a batch: logits and targets float32 [B, h, w, 2] -> a scalar.

    It is the sum of the cross-entropy of each cell and of the Dice loss of each map (Milletari et al. 2016,
    arXiv:1606.04797), in which a small digit counts as much as a large one.
    """
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    cells = tf.reduce_mean((1 + (_POSITIVE_WEIGHT - 1) * targets) * cross_entropy)
    found = tf.sigmoid(logits)
    common = 2 * tf.reduce_sum(found * targets, axis=[1, 2]) + _OVERLAP_SMOOTHING
    areas = tf.reduce_sum(found + targets, axis=[1, 2]) + _OVERLAP_SMOOTHING
    return _CELL_WEIGHT * cells + _OVERLAP_WEIGHT * tf.reduce_mean(1 - common / areas)


def _compile_step(
    network: FinderNetwork, optimizer: tf.keras.optimizers.Optimizer
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], tf.Tensor]:
    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def take_step(pictures: tf.Tensor, ink: tf.Tensor, cores: tf.Tensor) -> tf.Tensor:
        targets = tf.cast(tf.stack([ink, cores], axis=-1), tf.float32) / 255.0
        with tf.GradientTape() as tape:
            loss = finder_loss(network(tf.cast(pictures, tf.float32) / 255.0, training=True), targets)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    return take_step  # type: ignore[no-any-return]


def _find_ink(network: Callable[[tf.Tensor], tf.Tensor], pages: Pages) -> np.ndarray:
    """Return how likely each cell of the pages is ink, float32 (n, 96, 96)."""
    parts = []
    for start in range(0, len(pages.pictures), _VALIDATION_BATCH):
        pictures = tf.cast(pages.pictures[start : start + _VALIDATION_BATCH], tf.float32) / 255.0
        parts.append(tf.sigmoid(network(pictures)[..., 0]).numpy())
    return np.concatenate(parts)
