"""The additions of a recipe to the batches and the loss: augmentation, label smoothing and distillation.

The loss gives a weight of its own to the strongly augmented half of a batch. Knows nothing of the network that is
trained.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from training.data.affine_augmentation import augment_affine
from training.data.strong_augmentation import augment_strongly
from training.distillation import Teacher
from training.loop import Batch, Loss, cross_entropy
from training.recipes import TrainingRecipe


def prepare_batches(
    batches: Iterable[Batch], recipe: TrainingRecipe, teacher: Teacher | None = None, completed: int = 0
) -> Iterator[Batch]:
    """Prepare each batch for training as the recipe specifies.

    With strong augmentation, a prepared batch is twice as large: the augmented images, then the strongly augmented
    ones. The random numbers of a batch depend on its number alone: `completed` batches were taken before the first.
    """
    if not (recipe.augmentation or recipe.strong_augmentation or recipe.label_smoothing or teacher):
        yield from batches
        return
    prepare = build_preparation(recipe, teacher)
    numbered = enumerate(batches, start=completed)
    yield from prefetch(prepare(images, targets, tf.constant(iteration)) for iteration, (images, targets) in numbered)


def build_preparation(recipe: TrainingRecipe, teacher: Teacher | None) -> Callable[..., Batch]:
    """Compile the function that prepares a batch. It takes the images, the targets and the number of the batch."""

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def prepare(images: tf.Tensor, targets: tf.Tensor, iteration: tf.Tensor) -> Batch:
        if recipe.augmentation:
            images = augment_affine(images, recipe.augmentation, seed=[recipe.seed, iteration])
        if recipe.strong_augmentation:
            strong = augment_strongly(images, recipe.strong_augmentation, seed=[recipe.seed, -1 - iteration])
            images = tf.concat([images, strong], axis=0)  # [2 B, 28, 28]
            targets = tf.concat([targets, targets], axis=0)  # [2 B, 10]
        smoothed = smooth_labels(targets, recipe.label_smoothing) if recipe.label_smoothing else targets
        return images, teacher.distill(images, targets, smoothed) if teacher else smoothed

    return prepare  # type: ignore[no-any-return]


def prefetch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Compute each batch in a thread, while the network is trained on the batch before."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        upcoming = executor.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = executor.submit(next, batches, None)
            yield batch


def build_loss(recipe: TrainingRecipe) -> Loss:
    """Build the loss for the batches of `prepare_batches`."""
    augmentation = recipe.strong_augmentation
    if augmentation is None:
        return cross_entropy
    return lambda logits, targets: weighted_cross_entropy(logits, targets, augmentation.loss_weight)


def weighted_cross_entropy(logits: tf.Tensor, targets: tf.Tensor, weight: float) -> tf.Tensor:
    """Return the weighted mean of the cross-entropy of both halves of a batch: logits and targets [2 B, 10].

    The first half has the weight 1. The second half, which is strongly augmented, has the weight `weight`.
    """
    first, second = map(cross_entropy, tf.split(logits, 2), tf.split(targets, 2))
    return (first + weight * second) / (1 + weight)


def smooth_labels(targets: tf.Tensor, share: float) -> tf.Tensor:
    """Spread a share of each target evenly over the ten digits: [B, 10] -> [B, 10]."""
    return targets * (1 - share) + share / 10
