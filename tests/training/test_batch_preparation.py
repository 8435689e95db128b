from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from training.batch_preparation import prepare_batches, smooth_labels
from training.data.mnist import Mnist
from training.distillation import Teacher
from training.loop import compute_logits
from training.networks import build_affine
from training.recipes import CONVNET, LESSON_CONVNET, SOFTMAX, AffineAugmentation, Distillation, StrongAugmentation
from training.run import train_network

pytestmark = pytest.mark.slow


def test_label_smoothing_spreads_a_share_over_all_ten_digits() -> None:
    smoothed = smooth_labels(tf.one_hot([4], 10), 0.1).numpy()
    assert smoothed[0, 4] == pytest.approx(0.91)
    assert smoothed[0, 0] == pytest.approx(0.01)


AUGMENTED = replace(CONVNET, distillation=None)


def test_a_plain_recipe_leaves_batches_unchanged() -> None:
    batches = [(tf.zeros([3, 28, 28]), tf.one_hot([1, 2, 3], 10))]
    for recipe in (SOFTMAX, LESSON_CONVNET):
        assert [*prepare_batches(batches, recipe)] == batches


def test_the_first_images_of_a_batch_are_strongly_augmented() -> None:
    inverted = StrongAugmentation(
        share=0.3, affine=AffineAugmentation(rotation=0, scale=0, shear=0, shift=0), probability=1
    )
    recipe = replace(AUGMENTED, augmentation=None, strong_augmentation=inverted)
    images, targets = tf.zeros([10, 28, 28]), tf.one_hot(range(10), 10)
    ((prepared_images, prepared_targets),) = prepare_batches([(images, targets)], recipe)
    changed = np.abs(prepared_images).max(axis=(1, 2)) > 0
    assert changed.tolist() == [True] * 3 + [False] * 7
    np.testing.assert_allclose(prepared_targets, smooth_labels(targets, CONVNET.label_smoothing))


def test_each_batch_is_augmented_by_its_number_also_in_a_continued_run() -> None:
    batch = tf.random.stateless_uniform([3, 28, 28], seed=[1, 2]), tf.one_hot([1, 2, 3], 10)
    first, second, third = (images.numpy() for images, _ in prepare_batches([batch] * 3, AUGMENTED))
    assert not np.allclose(first, second, atol=0.1)
    ((continued, _),) = prepare_batches([batch], AUGMENTED, completed=2)
    np.testing.assert_array_equal(continued, third)


def test_a_network_learns_the_probabilities_of_its_teacher(bars: Mnist) -> None:
    """The teacher's second guess is always the next digit, which the labels do not show."""
    recipe = replace(SOFTMAX, iterations=260, batch_size=20, learning_rate=0.5)
    first_guess, second_guess = np.eye(10, dtype=np.float32), np.eye(10, dtype=np.float32)[(np.arange(10) + 1) % 10]
    rows = tf.constant([4 + 2 * digit for digit in range(10)])  # the row of the bar of each digit

    def predict(images: tf.Tensor) -> tf.Tensor:
        digits = tf.argmax(tf.gather(tf.reduce_mean(images, axis=2), rows, axis=1), axis=1)
        return tf.gather(tf.constant(0.6 * first_guess + 0.4 * second_guess), digits)

    def second_guess_accuracy(teacher: Teacher | None) -> float:
        network = build_affine()
        train_network(network, recipe, bars.train, bars.validation, teacher=teacher)
        second = np.argsort(compute_logits(network, bars.validation.images), axis=1)[:, -2]
        return float(np.mean(second == (bars.validation.labels + 1) % 10))

    assert second_guess_accuracy(None) < 0.5
    assert second_guess_accuracy(Teacher({}, predict, Distillation("bars/1", temperature=1.0, share=1.0))) > 0.95


def test_a_teacher_predicts_the_strongly_augmented_images_too() -> None:
    seen: list[tf.Tensor] = []

    def predict(images: tf.Tensor) -> tf.Tensor:
        seen.append(images)
        return tf.fill([tf.shape(images)[0], 10], 0.1)

    teacher = Teacher({}, predict, Distillation("bars/1", temperature=1.0, share=0.5))
    batch = tf.zeros([20, 28, 28]), tf.one_hot([3] * 20, 10)
    ((images, _),) = prepare_batches([batch], AUGMENTED, teacher)
    assert [each.shape for each in seen] == [images.shape] == [(20, 28, 28)]
