from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from training.batch_preparation import build_batch_preparation, build_loss, smooth_labels, weighted_cross_entropy
from training.data.mnist import Mnist
from training.distillation import Teacher
from training.loop import cross_entropy, run_testing_loop, run_training_loop
from training.networks import ConvolutionShape, build_affine, build_convnet
from training.recipes import CONVNET, SOFTMAX, Distillation

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


def test_a_plain_recipe_leaves_batches_and_loss_unchanged() -> None:
    images, targets = tf.zeros([3, 28, 28]), tf.one_hot([1, 2, 3], 10)
    prepared_images, prepared_targets = build_batch_preparation(SOFTMAX)(images, targets, tf.constant(0))
    np.testing.assert_array_equal(prepared_images, images)
    np.testing.assert_array_equal(prepared_targets, targets)
    assert build_loss(SOFTMAX) is cross_entropy


def test_strong_augmentation_doubles_the_batch() -> None:
    images, targets = tf.zeros([3, 28, 28]), tf.one_hot([1, 2, 3], 10)
    prepared_images, prepared_targets = build_batch_preparation(CONVNET)(images, targets, tf.constant(0))
    assert prepared_images.shape == (6, 28, 28)
    expected = smooth_labels(targets, CONVNET.label_smoothing)
    np.testing.assert_allclose(prepared_targets, tf.concat([expected, expected], axis=0))


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
        prepare_batch = build_batch_preparation(recipe, teacher)
        run_training_loop(network, bars.train, bars.validation, recipe, prepare_batch=prepare_batch)
        second = np.argsort(run_testing_loop(network, bars.validation.images), axis=1)[:, -2]
        return float(np.mean(second == (bars.validation.labels + 1) % 10))

    assert second_guess_accuracy(None) < 0.5
    assert second_guess_accuracy(Teacher({}, predict, Distillation("bars/1", temperature=1.0, share=1.0))) > 0.95


def test_a_teacher_predicts_the_strongly_augmented_copies_too(bars: Mnist) -> None:
    batch_sizes: list[int] = []

    def predict(images: tf.Tensor) -> tf.Tensor:
        batch_sizes.append(images.shape[0])
        return tf.fill([tf.shape(images)[0], 10], 0.1)

    network = build_convnet(1, (ConvolutionShape(4, stride=2),))
    recipe = replace(CONVNET, iterations=1, batch_size=20)
    teacher = Teacher({}, predict, Distillation("bars/1", temperature=1.0, share=0.5))
    additions = {"prepare_batch": build_batch_preparation(recipe, teacher), "loss": build_loss(recipe)}
    run_training_loop(network, bars.train, bars.validation, recipe, **additions)
    assert batch_sizes == [40]
