import numpy as np
import pytest
import tensorflow as tf

from training.networks import (
    CONVNET_SHAPES,
    ConvolutionShape,
    NormalisedConvolution,
    build_affine,
    build_convnet,
    count_multiply_adds,
    count_parameters,
    flatten,
    scale,
)

pytestmark = pytest.mark.slow

SMALL = (ConvolutionShape(4, stride=2), ConvolutionShape(8, width=5, padding="SAME"))


def noise(count: int) -> tf.Tensor:
    return tf.random.stateless_uniform([count, 28, 28], seed=[1, 2])


def test_the_affine_network_is_x_times_w_plus_b() -> None:
    network = build_affine()
    weights = np.arange(7840, dtype=np.float32).reshape(784, 10) / 7840
    network.weights.assign(weights)
    network.biases.assign(np.arange(10))
    images = noise(3)
    expected = images.numpy().reshape(3, 784) @ weights + np.arange(10)
    np.testing.assert_allclose(network(images), expected, rtol=1e-5)


def test_ink_is_scaled_to_one() -> None:
    np.testing.assert_allclose(scale(tf.constant([0, 51, 255], tf.uint8)), [0, 0.2, 1])


def test_flattening_is_in_raster_order() -> None:
    images = np.zeros((1, 28, 28), np.float32)
    images[0, 2, 5] = 1
    assert int(tf.argmax(flatten(tf.constant(images))[0])) == 2 * 28 + 5


@pytest.mark.parametrize("shapes", [SMALL, CONVNET_SHAPES])
def test_the_inference_network_has_the_same_probabilities(shapes: tuple[ConvolutionShape, ...]) -> None:
    network = build_convnet(seed=3, shapes=shapes)
    rng = np.random.default_rng(0)
    for convolution in network.convolutions:
        for variable in (convolution.scale, convolution.offset, convolution.mean, convolution.variance):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    logits = network(noise(16))
    centred = logits - tf.reduce_mean(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(network.for_inference()(noise(16)), centred, atol=1e-5)


def test_the_inference_network_has_centred_logits() -> None:
    network = build_convnet(seed=3, shapes=SMALL)
    network.dense.biases.assign_add(tf.fill([10], 7.0))
    np.testing.assert_allclose(tf.reduce_sum(network.for_inference()(noise(16)), axis=1), np.zeros(16), atol=1e-5)


def test_the_inference_network_has_no_batch_normalisation() -> None:
    inference = build_convnet(seed=3, shapes=SMALL).for_inference()
    assert not any(isinstance(convolution, NormalisedConvolution) for convolution in inference.convolutions)
    assert len(inference.trainable_variables) == 2 * len(SMALL) + 2
    assert inference.architecture == "conv 3x3x4/2 - conv 5x5x8 - dense 10"


def test_training_normalises_by_the_batch_and_updates_the_running_averages() -> None:
    network = build_convnet(seed=3, shapes=SMALL)
    images = noise(16)
    first = network.convolutions[0]
    convolved = tf.nn.conv2d(images[..., tf.newaxis], first.kernel, 2, "VALID")
    network(images, training=True)
    mean, variance = tf.nn.moments(convolved, axes=[0, 1, 2])
    np.testing.assert_allclose(first.mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(first.variance, 0.9 + 0.1 * variance, rtol=1e-3)
    before = first.mean.numpy()
    network(images, training=False)
    np.testing.assert_array_equal(first.mean, before)


def test_the_seed_determines_the_weights() -> None:
    one, same, other = (build_convnet(seed=seed, shapes=SMALL) for seed in (1, 1, 2))
    for left, right in zip(one.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.convolutions[0].kernel, other.convolutions[0].kernel)
    assert not np.array_equal(one.dense.weights, other.dense.weights)


def test_multiply_adds_and_parameters_are_counted() -> None:
    network = build_convnet(seed=1, shapes=SMALL)
    first, second, dense = 13 * 13 * 4 * 9, 13 * 13 * 8 * 25 * 4, 13 * 13 * 8 * 10
    assert count_multiply_adds(network.for_inference()) == first + second + dense
    assert count_multiply_adds(build_affine()) == 7840
    assert count_parameters(build_affine()) == 7850
    assert count_parameters(network.for_inference()) == (9 + 1) * 4 + (25 * 4 + 1) * 8 + 13 * 13 * 8 * 10 + 10


def test_the_convnet_is_within_its_budget() -> None:
    network = build_convnet(seed=1).for_inference()
    assert count_multiply_adds(network) <= 1_000_000  # so that serving is fast
    assert count_parameters(network) <= 120_000
