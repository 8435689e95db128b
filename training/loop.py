"""The training loop and the testing loop.

Of a network, the loops use only the variables and the function from images to logits. The additions of a recipe
to plain training, such as augmentation or a teacher, are passed in as functions: see `training/batch_preparation.py`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.examples import Examples, Images
from training.evaluation.metrics import accuracy
from training.networks import Network, scale
from training.optimizers import Optimizer, build_optimizer
from training.progress import HistoryPoint, Progress
from training.recipes import ModelName, TrainingRecipe

VALIDATION_INTERVAL = 250
STEPS_PER_CALL: dict[ModelName, int] = {"softmax": 250, "convnet": 50}
"""Steps in one call of the compiled graph.

One call costs as much as eight softmax steps, so there must be many. Ctrl-C takes effect between calls, so there must
not be too many.
"""
TESTING_BATCH_SIZE = 1_000

PrepareBatch = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""From images [B, 28, 28], targets [B, 10] and the iteration to the images and targets that the network is trained on.

The result may have more images than the batch, such as augmented copies.
"""
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From logits and targets, [B, 10] each, to a scalar."""


class CheckpointStore(Protocol):
    """Where the progress of a run is saved."""

    def save(self, progress: Progress) -> None:
        """Save the progress, in place of earlier progress."""

    def load(self) -> Progress | None:
        """Return the saved progress, or None if there is none."""


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of a batch, in nats: logits and targets float32 [B, 10] -> a scalar."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits))


def use_unchanged(images: tf.Tensor, targets: tf.Tensor, _iteration: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the batch unchanged, for training without additions."""
    return images, targets


def run_training_loop(  # noqa: PLR0913 (the four main inputs, and the optional additions)
    network: Network,
    train: Examples,
    validation: Examples,
    recipe: TrainingRecipe,
    on_progress: Callable[[int, HistoryPoint | None], None] = lambda _iteration, _point: None,
    *,
    prepare_batch: PrepareBatch = use_unchanged,
    loss: Loss = cross_entropy,
    checkpoint: CheckpointStore | None = None,
) -> list[HistoryPoint]:
    """Train the network in place.

    Args:
        network: The network to train.
        train: The training images.
        validation: The images on which the accuracy of the training curves is measured.
        recipe: The optimiser, its learning rate, the number and size of the batches, and the seed.
        on_progress: Called with the number of completed iterations and the latest point of the training curves.
        prepare_batch: Prepares each batch for the network. It is called in the graph.
        loss: The function to minimise.
        checkpoint: Saves the progress at each point of the training curves. If it already has progress, the run
            continues from there, and reaches the same weights as a run without interruption.

    Returns:
        The training curves.

    """
    optimizer = build_optimizer(recipe, network.trainable_variables)
    take_steps = compile_steps(network, optimizer, train, recipe, prepare_batch, loss)
    compiled_network = tf.function(network)
    variables = [*network.variables, *optimizer.variables]
    done, history = restore(variables, checkpoint)
    steps_per_call = STEPS_PER_CALL[recipe.model]
    for first in range(done, recipe.iterations, VALIDATION_INTERVAL):
        steps = min(VALIDATION_INTERVAL, recipe.iterations - first)
        batches = draw_batches(len(train), recipe.batch_size, first, steps, recipe.seed)
        total = 0.0
        for step in range(0, steps, steps_per_call):
            total += float(take_steps(batches[step : step + steps_per_call], first + step))
            on_progress(first + min(step + steps_per_call, steps), history[-1] if history else None)
        logits = run_testing_loop(compiled_network, validation.images)
        history.append(HistoryPoint(first + steps, total / steps, accuracy(logits, validation.labels)))
        if checkpoint:
            checkpoint.save(Progress(first + steps, [variable.numpy() for variable in variables], list(history)))
    return history


def restore(variables: Sequence[tf.Variable], checkpoint: CheckpointStore | None) -> tuple[int, list[HistoryPoint]]:
    """Assign saved progress to the variables. Return the number of completed iterations and the training curves."""
    progress = checkpoint.load() if checkpoint else None
    if progress is None:
        return 0, []
    for variable, array in zip(variables, progress.arrays, strict=True):
        variable.assign(array)
    return progress.iteration, list(progress.history)


def run_testing_loop(network: Callable[[tf.Tensor], tf.Tensor], images: Images) -> npt.NDArray[np.float32]:
    """Return the logits, float32 (n, 10), for all images, uint8 (n, 28, 28). The last batch may be smaller."""
    batches = (images[start : start + TESTING_BATCH_SIZE] for start in range(0, len(images), TESTING_BATCH_SIZE))
    return np.concatenate([network(scale(tf.constant(batch))).numpy() for batch in batches])


def draw_batches(examples: int, batch_size: int, first: int, steps: int, seed: int) -> tf.Tensor:
    """Return the indices of the examples in `steps` batches from the batch `first` on: int32 [steps, batch_size].

    The batches are cut from a sequence of epochs. Each epoch has every example once, in a new random order. A batch
    that reaches the end of an epoch continues in the next one, so all batches have the same size and no example is
    left out.
    """
    start, stop = first * batch_size, (first + steps) * batch_size
    epochs = range(start // examples, (stop - 1) // examples + 1)
    order = tf.concat(
        [tf.random.experimental.stateless_shuffle(tf.range(examples), seed=[seed, epoch]) for epoch in epochs], axis=0
    )  # [epochs * examples]
    skipped = start - start % examples
    return tf.reshape(order[start - skipped : stop - skipped], [steps, batch_size])


def compile_steps(  # noqa: PLR0913, PLR0917 (what a step is made of)
    network: Network,
    optimizer: Optimizer,
    train: Examples,
    recipe: TrainingRecipe,
    prepare_batch: PrepareBatch = use_unchanged,
    loss: Loss = cross_entropy,
) -> Callable[[tf.Tensor, int], tf.Tensor]:
    """Compile several training steps into one graph, with the training images on the device.

    The returned function takes the indices of the examples in each batch, int32 [steps, B], and the number of the first
    step. It returns the sum of the losses.
    """
    all_images = tf.constant(train.images)  # [n, 28, 28]
    all_targets = tf.constant(train.targets)  # [n, 10]

    def take_step(images: tf.Tensor, targets: tf.Tensor, iteration: tf.Tensor) -> tf.Tensor:
        images, targets = prepare_batch(scale(images), targets, iteration)
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            step_loss = loss(logits, targets)
        gradients = tape.gradient(step_loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return step_loss

    def take_steps(batches: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for step in tf.range(len(batches)):
            indices = batches[step]  # [B]
            total += take_step(tf.gather(all_images, indices), tf.gather(all_targets, indices), first + step)
        return total

    # The number of steps is left open, so that the last call, with fewer steps, uses the same graph. XLA still compiles
    # it again, which takes half a second.
    signature = [tf.TensorSpec([None, recipe.batch_size], tf.int32), tf.TensorSpec([], tf.int32)]
    # XLA fuses the many small kernels of a softmax step, which halves its time. It does not support the augmentation of
    # the convnet, and its convolutions are nine times as slow.
    compiled: Callable[[tf.Tensor, int], tf.Tensor] = tf.function(
        take_steps, input_signature=signature, jit_compile=recipe.model == "softmax"
    )
    return compiled
