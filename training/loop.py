"""The training loop of the lesson: draw batches, take a step of the optimiser for each, and evaluate the network.

What is added to plain training comes from outside: prepared batches, another loss, and callbacks for progress, training
curves and checkpoints.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.examples import Examples, Images
from training.networks import scale

Batch = tuple[tf.Tensor, tf.Tensor]
"""Images, float32 [B, 28, 28], ink 0 to 1, and targets, float32 [B, 10]."""
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From logits and targets, [B, 10] each, to a scalar."""
Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Takes one step with the images and targets of a batch, and returns the loss before it."""
Callback = Callable[[int, float], None]
"""Called after each step with the number of completed iterations and the loss of the batch."""

EVALUATION_BATCH_SIZE = 1_000


def train(step: Step, batches: Iterable[Batch], callbacks: Sequence[Callback] = (), completed: int = 0) -> None:
    """Take a step with each batch. `completed` counts the iterations of an earlier, interrupted run."""
    for iteration, (images, targets) in enumerate(batches, start=completed + 1):
        loss = float(step(images, targets))
        for callback in callbacks:
            callback(iteration, loss)


def draw_batches(examples: Examples, batch_size: int, seed: int) -> Iterator[Batch]:
    """Yield batches without end: each epoch has every example once, in a new random order.

    A batch that reaches the end of an epoch continues in the next one, so all batches have the same size.
    """
    rng = np.random.default_rng(seed)
    images, targets = examples.images, examples.targets
    order = np.arange(0)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(len(examples))])
        indices, order = order[:batch_size], order[batch_size:]
        yield scale(images[indices]), tf.constant(targets[indices])


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of a batch, in nats: logits and targets float32 [B, 10] -> a scalar."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits))


def compile_step(network: tf.Module, optimizer: tf.keras.optimizers.Optimizer, loss: Loss = cross_entropy) -> Step:
    """Return the function that takes one step. It changes the variables of the network."""
    variables = network.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(images: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(network(images), targets)
        gradients = tape.gradient(value, variables)
        optimizer.apply(gradients, variables)
        return value

    return step  # type: ignore[no-any-return]


def compute_logits(network: tf.Module, images: Images) -> npt.NDArray[np.float32]:
    """Return the logits, float32 (n, 10), of images, uint8 (n, 28, 28). The last batch may be smaller."""
    batches = (images[start : start + EVALUATION_BATCH_SIZE] for start in range(0, len(images), EVALUATION_BATCH_SIZE))
    return np.concatenate([network(scale(batch)).numpy() for batch in batches])


def evaluate(network: tf.Module, examples: Examples) -> float:
    """Return the accuracy: the share of the examples whose highest logit is at the label."""
    return float(np.mean(compute_logits(network, examples.images).argmax(axis=1) == examples.labels))
