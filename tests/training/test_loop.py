from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training import loop
from training.batch_preparation import build_batch_preparation, build_loss
from training.data.mnist import Mnist
from training.evaluation.metrics import accuracy
from training.loop import (
    cross_entropy,
    draw_batches,
    run_testing_loop,
    run_training_loop,
)
from training.networks import ConvolutionShape, Network, build_affine, build_convnet, scale
from training.progress import HistoryPoint
from training.publishing.checkpoints import Checkpoint
from training.recipes import CONVNET, SOFTMAX

pytestmark = pytest.mark.slow

QUICK = replace(SOFTMAX, iterations=260, batch_size=20)


def test_cross_entropy_is_the_batch_mean_in_nats() -> None:
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    targets = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    expected = -(np.log(0.5) + 0.5 * np.log(0.2) + 0.5 * np.log(0.7)) / 2
    assert float(cross_entropy(logits, targets)) == pytest.approx(expected)


def test_every_epoch_contains_every_example_once() -> None:
    batches = draw_batches(examples=55, batch_size=10, first=0, steps=11, seed=1).numpy()
    stream = batches.reshape(-1)
    assert sorted(stream[:55]) == sorted(stream[55:]) == list(range(55))
    assert stream[:55].tolist() != stream[55:].tolist() != list(range(55))


def test_batches_do_not_depend_on_how_many_are_drawn_at_once() -> None:
    whole = draw_batches(examples=55, batch_size=10, first=0, steps=40, seed=1).numpy()
    pieces = [draw_batches(examples=55, batch_size=10, first=first, steps=8, seed=1) for first in range(0, 40, 8)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(draw_batches(examples=55, batch_size=10, first=0, steps=40, seed=2), whole)


def test_the_loop_trains_a_network(bars: Mnist) -> None:
    network = build_affine()
    completed: list[int] = []
    history = run_training_loop(
        network, bars.train, bars.validation, QUICK, lambda done, _point: completed.append(done)
    )
    assert [point.iteration for point in history] == [250, 260]
    assert completed == [250, 260]
    assert history[-1].loss < history[0].loss < np.log(10)
    assert history[-1].validation_score > 0.95
    assert history[-1].validation_score == accuracy(
        run_testing_loop(network, bars.validation.images), bars.validation.labels
    )


def test_progress_is_reported_with_the_latest_point_of_the_curves(bars: Mnist) -> None:
    completed: list[HistoryPoint | None] = []
    recipe = replace(QUICK, iterations=510)
    history = run_training_loop(
        build_affine(), bars.train, bars.validation, recipe, lambda _done, point: completed.append(point)
    )
    assert completed == [None, history[0], history[1]]


def test_one_step_subtracts_the_learning_rate_times_the_gradient(bars: Mnist) -> None:
    network = build_affine()
    recipe = replace(SOFTMAX, iterations=1, batch_size=500, learning_rate=0.5)  # the batch: all there is
    run_training_loop(network, bars.train, bars.validation, recipe)
    vectors = bars.train.images.reshape(-1, 784) / 255
    gradient = vectors.T @ (0.1 - bars.train.targets) / 500  # from zeros, each digit has 0.1
    np.testing.assert_allclose(network.weights, -0.5 * gradient, atol=1e-6)


def test_weights_do_not_depend_on_the_steps_in_a_call(bars: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(steps_per_call: int) -> np.ndarray:
        monkeypatch.setitem(loop.STEPS_PER_CALL, "softmax", steps_per_call)
        network = build_affine()
        run_training_loop(network, bars.train, bars.validation, replace(QUICK, iterations=13))
        return np.asarray(network.weights)

    np.testing.assert_allclose(weights(5), weights(1), atol=1e-6)  # 5, 5 and the 3 that are left


@pytest.mark.parametrize("model", ["softmax", "convnet"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(bars: Mnist, model: str) -> None:
    tf.config.experimental.enable_op_determinism()
    shapes = (ConvolutionShape(8), ConvolutionShape(16, stride=2), ConvolutionShape(16))

    def train(seed: int) -> list[np.ndarray]:
        network = build_affine() if model == "softmax" else build_convnet(seed, shapes)
        recipe = replace(SOFTMAX if model == "softmax" else CONVNET, iterations=60, seed=seed)
        additions = {"prepare_batch": build_batch_preparation(recipe), "loss": build_loss(recipe)}
        run_training_loop(network, bars.train, bars.validation, recipe, **additions)
        return [variable.numpy() for variable in network.variables]

    first, again, other = train(7), train(7), train(8)
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("model", ["softmax", "convnet"])
def test_an_interrupted_run_continues_to_the_same_weights(
    bars: Mnist, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf.config.experimental.enable_op_determinism()
    monkeypatch.setattr("training.loop.VALIDATION_INTERVAL", 50)
    recipe = replace(SOFTMAX if model == "softmax" else CONVNET, iterations=120, batch_size=20)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", "this run")
    additions = {"prepare_batch": build_batch_preparation(recipe), "loss": build_loss(recipe)}

    def build() -> Network:
        shapes = (ConvolutionShape(8), ConvolutionShape(16, stride=2))
        return build_affine() if model == "softmax" else build_convnet(1, shapes)

    def stop(done: int, _point: HistoryPoint | None) -> None:
        if done > 100:
            raise KeyboardInterrupt

    whole, stopped, continued = build(), build(), build()
    history = run_training_loop(whole, bars.train, bars.validation, recipe, **additions)
    with pytest.raises(KeyboardInterrupt):
        run_training_loop(stopped, bars.train, bars.validation, recipe, stop, checkpoint=checkpoint, **additions)
    completed: list[int] = []
    again = run_training_loop(
        continued,
        bars.train,
        bars.validation,
        recipe,
        lambda done, _point: completed.append(done),
        checkpoint=checkpoint,
        **additions,
    )
    assert completed == [120]
    assert again == history
    for left, right in zip(whole.variables, continued.variables, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_smaller_last_batch_is_classified_too(bars: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.TESTING_BATCH_SIZE", 100)
    network = build_convnet(seed=1, shapes=(ConvolutionShape(4, stride=2),))
    whole = network(scale(tf.constant(bars.test.images)))
    np.testing.assert_allclose(run_testing_loop(network, bars.test.images), whole, atol=1e-5)
