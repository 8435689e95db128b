"""The additions of a recipe to the batches: augmentation, label smoothing and distillation.

Knows nothing of the network that is trained.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from training.data.affine_augmentation import augment_affine
from training.data.strong_augmentation import augment_strongly
from training.distillation import Teacher
from training.loop import Batch
from training.recipes import TrainingRecipe


def prepare_batches(
    batches: Iterable[Batch], recipe: TrainingRecipe, teacher: Teacher | None = None, completed: int = 0
) -> Iterator[Batch]:
    """Prepare each batch for training as the recipe specifies.

    The random numbers of a batch depend on its number alone: `completed` batches were taken before the first.
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
        images = augment(images, recipe, iteration)
        smoothed = smooth_labels(targets, recipe.label_smoothing) if recipe.label_smoothing else targets
        return images, teacher.distill(images, targets, smoothed) if teacher else smoothed

    return prepare  # type: ignore[no-any-return]


def augment(images: tf.Tensor, recipe: TrainingRecipe, iteration: tf.Tensor) -> tf.Tensor:
    """Augment a batch, [B, 28, 28], as the recipe specifies: the first images strongly, the others moderately."""
    strong = tf.zeros_like(images[:0])
    if recipe.strong_augmentation:
        count = tf.cast(recipe.strong_augmentation.share * len(images), tf.int32)
        seed = tf.stack([recipe.seed, -1 - iteration])
        strong = augment_strongly(images[:count], recipe.strong_augmentation, seed)
        images = images[count:]
    if recipe.augmentation:
        images = augment_affine(images, recipe.augmentation, tf.stack([recipe.seed, iteration]))
    return tf.concat([strong, images], axis=0)


def prefetch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Compute each batch in a thread, while the network is trained on the batch before."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        upcoming = executor.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = executor.submit(next, batches, None)
            yield batch


def smooth_labels(targets: tf.Tensor, share: float) -> tf.Tensor:
    """Spread a share of each target evenly over the ten digits: [B, 10] -> [B, 10]."""
    return targets * (1 - share) + share / 10
