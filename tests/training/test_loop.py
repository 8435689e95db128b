from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from tests.training.conftest import draw_examples
from training.data.examples import Examples
from training.data.mnist import Mnist
from training.loop import compile_step, compute_logits, cross_entropy, draw_batches, evaluate, train
from training.networks import build_affine, build_convnet, scale
from training.optimizers import GradientDescent

pytestmark = pytest.mark.slow


def numbered(count: int) -> Examples:
    """Return examples whose top left pixel is their number."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return Examples(images, (np.arange(count) % 10).astype(np.int32))


def numbers(count: int, batch_size: int, batches: int, seed: int) -> list[list[int]]:
    drawn = islice(draw_batches(numbered(count), batch_size, seed), batches)
    return [np.rint(255 * images[:, 0, 0]).astype(int).tolist() for images, _ in drawn]


def test_cross_entropy_is_the_batch_mean_in_nats() -> None:
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    targets = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    expected = -(np.log(0.5) + 0.5 * np.log(0.2) + 0.5 * np.log(0.7)) / 2
    assert float(cross_entropy(logits, targets)) == pytest.approx(expected)


def test_every_epoch_contains_every_example_once() -> None:
    stream = [number for batch in numbers(55, batch_size=10, batches=11, seed=1) for number in batch]
    assert sorted(stream[:55]) == sorted(stream[55:]) == list(range(55))
    assert stream[:55] != stream[55:] != list(range(55))


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    (batch,) = numbers(4, batch_size=10, batches=1, seed=1)
    assert sorted(batch[:4]) == sorted(batch[4:8]) == list(range(4))
    assert len(batch) == 10


def test_the_seed_determines_the_batches() -> None:
    assert numbers(55, 10, 8, seed=1) == numbers(55, 10, 8, seed=1) != numbers(55, 10, 8, seed=2)


def test_a_batch_has_scaled_images_and_their_targets() -> None:
    examples = draw_examples(30)
    images, targets = next(draw_batches(examples, 30, seed=1))
    assert (images.dtype, targets.dtype) == (tf.float32, tf.float32)
    order = [int(np.flatnonzero((scale(examples.images) == image).numpy().all(axis=(1, 2)))[0]) for image in images]
    np.testing.assert_array_equal(targets, examples.targets[order])


def test_one_step_subtracts_the_learning_rate_times_the_gradient(bars: Mnist) -> None:
    network = build_affine()
    step = compile_step(network, GradientDescent(0.5))
    images, targets = scale(bars.train.images), tf.constant(bars.train.targets)
    assert float(step(images, targets)) == pytest.approx(np.log(10))
    vectors = bars.train.images.reshape(-1, 784) / 255
    gradient = vectors.T @ (0.1 - bars.train.targets) / 500  # from zeros, each digit has 0.1
    np.testing.assert_allclose(network.weights, -0.5 * gradient, atol=1e-6)


def test_the_loss_is_the_one_that_is_handed_in(bars: Mnist) -> None:
    step = compile_step(
        build_affine(), GradientDescent(0.5), lambda logits, targets: 3 * cross_entropy(logits, targets)
    )
    images, targets = next(draw_batches(bars.train, 20, seed=1))
    assert float(step(images, targets)) == pytest.approx(3 * np.log(10))


def test_training_tells_every_callback_the_iteration_and_the_loss() -> None:
    batches = [(tf.constant(float(number)), tf.constant(0.0)) for number in range(3)]
    told: list[tuple[str, int, float]] = []
    callbacks = [lambda i, loss, name=name: told.append((name, i, loss)) for name in "ab"]
    train(lambda images, _targets: images / 2, batches, callbacks, completed=10)
    assert told == [("a", 11, 0.0), ("b", 11, 0.0), ("a", 12, 0.5), ("b", 12, 0.5), ("a", 13, 1.0), ("b", 13, 1.0)]


def test_a_network_learns(bars: Mnist) -> None:
    network, losses = build_affine(), list[float]()
    step = compile_step(network, GradientDescent(0.2))
    before = evaluate(network, bars.validation)
    train(step, islice(draw_batches(bars.train, 20, seed=1), 250), [lambda _, loss: losses.append(loss)])
    assert np.mean(losses[-50:]) < np.mean(losses[:50]) < np.log(10)
    assert before < 0.5
    assert evaluate(network, bars.validation) > 0.95


def test_a_smaller_last_batch_is_evaluated_too(bars: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.EVALUATION_BATCH_SIZE", 100)
    network = build_convnet(seed=1)
    whole = network(scale(tf.constant(bars.test.images))).numpy()
    np.testing.assert_allclose(compute_logits(network, bars.test.images), whole, atol=1e-5)
    assert evaluate(network, bars.test) == np.mean(whole.argmax(axis=1) == bars.test.labels)
