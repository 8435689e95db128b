import numpy as np
import pytest
import tensorflow as tf

from training.batch_normalisation import NormalisedConvolution, build_normalised_convnet
from training.recipes import CONVNET, ConvolutionShape
from training.summary import count_multiply_adds, count_parameters

pytestmark = pytest.mark.slow

SMALL = (ConvolutionShape(4, stride=2), ConvolutionShape(8, width=5, padding="SAME"))


def noise(count: int) -> tf.Tensor:
    return tf.random.stateless_uniform([count, 28, 28], seed=[1, 2])


@pytest.mark.parametrize("shapes", [SMALL, CONVNET.convolutions])
def test_the_folded_network_computes_what_the_running_averages_give(shapes: tuple[ConvolutionShape, ...]) -> None:
    network = build_normalised_convnet(shapes, seed=3)
    rng = np.random.default_rng(0)
    features = noise(16)[..., tf.newaxis]
    for convolution in network.convolutions:
        for variable in (convolution.scale, convolution.offset, convolution.mean, convolution.variance):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        features = convolution(features, training=False)
    np.testing.assert_allclose(network.for_inference()(noise(16)), network.dense(features), atol=1e-5)


def test_the_folded_network_has_no_batch_normalisation() -> None:
    folded = build_normalised_convnet(SMALL, seed=3).for_inference()
    assert not any(isinstance(convolution, NormalisedConvolution) for convolution in folded.layers)
    assert len(folded.trainable_variables) == 2 * len(SMALL) + 2
    assert folded.layers[0].fold_batch_norm() is folded.layers[0]


def test_training_normalises_by_the_batch_and_updates_the_running_averages() -> None:
    network = build_normalised_convnet(SMALL, seed=3)
    first = network.convolutions[0]
    convolved = tf.nn.conv2d(noise(16)[..., tf.newaxis], first.kernel, 2, "VALID")
    network(noise(16))
    mean, variance = tf.nn.moments(convolved, axes=[0, 1, 2])
    np.testing.assert_allclose(first.mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(first.variance, 0.9 + 0.1 * variance, rtol=1e-3)
    before = first.mean.numpy()
    network.for_inference()(noise(16))
    np.testing.assert_array_equal(first.mean, before)


def test_the_seed_determines_the_weights() -> None:
    one, same, other = (build_normalised_convnet(SMALL, seed=seed) for seed in (1, 1, 2))
    for left, right in zip(one.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.convolutions[0].kernel, other.convolutions[0].kernel)
    assert not np.array_equal(one.dense.weights, other.dense.weights)


def test_the_convnet_is_within_its_budget() -> None:
    network = build_normalised_convnet(CONVNET.convolutions, seed=1).for_inference()
    assert count_multiply_adds(network) <= 1_200_000  # so that serving is fast
    assert count_parameters(network) <= 200_000  # so that the artefact is small
