from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from training.batch_preparation import build_loss, prepare_batches, smooth_labels, weighted_cross_entropy
from training.data.mnist import Mnist
from training.distillation import Teacher
from training.loop import compute_logits, cross_entropy
from training.networks import build_affine
from training.recipes import CONVNET, LESSON_CONVNET, SOFTMAX, Distillation
from training.run import train_network

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("weight", "expected"), [(0.0, np.log(2)), (1.0, (np.log(2) + np.log(4)) / 2)])
def test_the_strongly_augmented_half_has_its_weight_in_the_loss(weight: float, expected: float) -> None:
    logits = tf.math.log([[0.5, 0.5], [0.25, 0.75]])
    targets = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    assert float(weighted_cross_entropy(logits, targets, weight)) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_spreads_a_share_over_all_ten_digits() -> None:
    smoothed = smooth_labels(tf.one_hot([4], 10), 0.1).numpy()
    assert smoothed[0, 4] == pytest.approx(0.91)
    assert smoothed[0, 0] == pytest.approx(0.01)


AUGMENTED = replace(CONVNET, distillation=None)


def test_a_plain_recipe_leaves_batches_and_loss_unchanged() -> None:
    batches = [(tf.zeros([3, 28, 28]), tf.one_hot([1, 2, 3], 10))]
    for recipe in (SOFTMAX, LESSON_CONVNET):
        assert [*prepare_batches(batches, recipe)] == batches
        assert build_loss(recipe) is cross_entropy


def test_strong_augmentation_doubles_the_batch() -> None:
    images, targets = tf.zeros([3, 28, 28]), tf.one_hot([1, 2, 3], 10)
    ((prepared_images, prepared_targets),) = prepare_batches([(images, targets)], AUGMENTED)
    assert prepared_images.shape == (6, 28, 28)
    expected = smooth_labels(targets, CONVNET.label_smoothing)
    np.testing.assert_allclose(prepared_targets, tf.concat([expected, expected], axis=0))


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


def test_a_teacher_predicts_the_strongly_augmented_copies_too() -> None:
    batch_sizes: list[int] = []

    def predict(images: tf.Tensor) -> tf.Tensor:
        batch_sizes.append(images.shape[0])
        return tf.fill([tf.shape(images)[0], 10], 0.1)

    teacher = Teacher({}, predict, Distillation("bars/1", temperature=1.0, share=0.5))
    batch = tf.zeros([20, 28, 28]), tf.one_hot([3] * 20, 10)
    ((images, _),) = prepare_batches([batch], AUGMENTED, teacher)
    assert batch_sizes == [40] == [len(images)]
