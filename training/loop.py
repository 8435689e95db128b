"""The training and the testing loop. Knows a network only as images in, logits out; judges and publishes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.augmentation import augment
from training.checkpoints import Checkpoint, Progress
from training.config import ModelName, TrainingConfig
from training.data import Examples, Images
from training.disturbances import disturb
from training.evaluate import accuracy
from training.networks import Network, scale
from training.optimizers import Optimizer, build_optimizer
from training.teacher import Teacher

VALIDATION_INTERVAL = 250
STEPS_PER_CALL: dict[ModelName, int] = {"softmax": 250, "convnet": 50}
"""Enough to hide the cost of a call, which is that of eight steps of softmax; few enough to stop soon after Ctrl-C."""
TESTING_BATCH_SIZE = 1_000


@dataclass(frozen=True)
class HistoryPoint:
    """One point of the training curves; the loss is the mean since the point before."""

    iteration: int
    loss: float
    validation_accuracy: float

    def as_json(self) -> dict[str, Any]:
        """Give the point as the values that JSON has."""
        return asdict(self)


def run_training_loop(  # noqa: PLR0913 (what the lesson is made of, two who follow it, and one who helps)
    network: Network,
    train: Examples,
    validation: Examples,
    config: TrainingConfig,
    on_progress: Callable[[int, HistoryPoint | None], None] = lambda _iteration, _point: None,
    *,
    checkpoint: Checkpoint | None = None,
    teacher: Teacher | None = None,
) -> list[HistoryPoint]:
    """Teach the network, in place, and give the training curves.

    `on_progress` hears how many iterations are done, and the point of the curves reached last. With a checkpoint, a
    run that was killed goes on from the last point of its curves, to the same weights as if it had not been. With a
    teacher, the network learns from what that says as well as from the labels.
    """
    optimizer = build_optimizer(config, network.trainable_variables)
    take_steps = compile_steps(network, optimizer, train, config, teacher)
    answer = tf.function(network)
    variables = [*network.variables, *optimizer.variables]
    done, history = restore(variables, checkpoint)
    steps_per_call = STEPS_PER_CALL[config.model]
    for first in range(done, config.iterations, VALIDATION_INTERVAL):
        steps = min(VALIDATION_INTERVAL, config.iterations - first)
        batches = draw_batches(len(train), config.batch_size, first, steps, config.seed)
        loss = 0.0
        for step in range(0, steps, steps_per_call):
            loss += float(take_steps(batches[step : step + steps_per_call], first + step))
            on_progress(first + min(step + steps_per_call, steps), history[-1] if history else None)
        logits = run_testing_loop(answer, validation.images)
        history.append(HistoryPoint(first + steps, loss / steps, accuracy(logits, validation.labels)))
        if checkpoint:
            arrays = [variable.numpy() for variable in variables]
            checkpoint.save(Progress(first + steps, arrays, [point.as_json() for point in history]))
    return history


def restore(variables: Sequence[tf.Variable], checkpoint: Checkpoint | None) -> tuple[int, list[HistoryPoint]]:
    """Set the variables to what a checkpoint keeps, if it keeps anything; gives the iterations done, and the curves."""
    progress = checkpoint.load() if checkpoint else None
    if progress is None:
        return 0, []
    for variable, array in zip(variables, progress.arrays, strict=True):
        variable.assign(array)
    return progress.iteration, [HistoryPoint(**point) for point in progress.history]


def run_testing_loop(answer: Callable[[tf.Tensor], tf.Tensor], images: Images) -> npt.NDArray[np.float32]:
    """Give a network's logits, float32 (n, 10), for images, uint8 (n, 28, 28): all of them, the last few too."""
    batches = (images[start : start + TESTING_BATCH_SIZE] for start in range(0, len(images), TESTING_BATCH_SIZE))
    return np.concatenate([answer(scale(tf.constant(batch))).numpy() for batch in batches])


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Give the mean cross-entropy of a batch, in nats: logits and targets float32 [B, 10] -> a scalar."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits))


def cross_entropy_of_both(logits: tf.Tensor, targets: tf.Tensor, weight: float) -> tf.Tensor:
    """Give the mean cross-entropy of a batch and, with a weight, of its disturbed copy behind it: [2 B, 10] each."""
    plain_loss, disturbed_loss = map(cross_entropy, tf.split(logits, 2), tf.split(targets, 2))
    return (plain_loss + weight * disturbed_loss) / (1 + weight)


def smooth(targets: tf.Tensor, share: float) -> tf.Tensor:
    """Spread a share of each target evenly over the ten digits: one-hot [B, 10] -> [B, 10]."""
    return targets * (1 - share) + share / 10


def draw_batches(examples: int, batch_size: int, first: int, steps: int, seed: int) -> tf.Tensor:
    """Give which examples the batches `first` to `first + steps` hold: int32 [steps, batch_size].

    Batches are cut from an endless row of epochs, each with every example once in an order of its own. One that
    reaches past the end of an epoch goes on into the next, so none is short and no example is left out.
    """
    start, stop = first * batch_size, (first + steps) * batch_size
    epochs = range(start // examples, (stop - 1) // examples + 1)
    order = tf.concat(
        [tf.random.experimental.stateless_shuffle(tf.range(examples), seed=[seed, epoch]) for epoch in epochs], axis=0
    )  # [epochs * examples]
    skipped = start - start % examples
    return tf.reshape(order[start - skipped : stop - skipped], [steps, batch_size])


def compile_steps(
    network: Network,
    optimizer: Optimizer,
    train: Examples,
    config: TrainingConfig,
    teacher: Teacher | None = None,
) -> Callable[[tf.Tensor, int], tf.Tensor]:
    """Compile many steps of training into one graph, with the data on the device beside it.

    The function takes which examples each batch holds, int32 [steps, B], and the number of the first step; it gives
    the sum of the steps' losses.
    """
    all_images = tf.constant(train.images)  # [n, 28, 28]
    all_targets = tf.constant(train.targets)  # [n, 10]

    def take_step(batch: tf.Tensor, targets: tf.Tensor, iteration: tf.Tensor) -> tf.Tensor:
        inputs = scale(batch)  # [B, 28, 28]
        if config.augmentation:
            inputs = augment(inputs, config.augmentation, seed=[config.seed, iteration])
        if config.disturbance:
            disturbed = disturb(inputs, config.disturbance, seed=[config.seed, -1 - iteration])
            inputs = tf.concat([inputs, disturbed], axis=0)  # [2 B, 28, 28]
            targets = tf.concat([targets, targets], axis=0)  # [2 B, 10]
        learnt = smooth(targets, config.label_smoothing) if config.label_smoothing else targets
        if teacher:
            learnt = teacher.teach(inputs, targets, learnt)
        with tf.GradientTape() as tape:
            logits = network(inputs, training=True)
            if config.disturbance:
                loss = cross_entropy_of_both(logits, learnt, config.disturbance.weight)
            else:
                loss = cross_entropy(logits, learnt)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    def take_steps(batches: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for step in tf.range(len(batches)):
            examples = batches[step]  # [B]
            total += take_step(tf.gather(all_images, examples), tf.gather(all_targets, examples), first + step)
        return total

    # Any number of steps, so that the fewer ones of the last call need no graph of their own; XLA does compile anew for
    # them, which takes half a second.
    signature = [tf.TensorSpec([None, config.batch_size], tf.int32), tf.TensorSpec([], tf.int32)]
    # XLA makes few kernels of the many small ones that a step of softmax is, and halves its time. It has none for what
    # moves the convnet's images, and its convolutions take nine times as long.
    compiled: Callable[[tf.Tensor, int], tf.Tensor] = tf.function(
        take_steps, input_signature=signature, jit_compile=config.model == "softmax"
    )
    return compiled
