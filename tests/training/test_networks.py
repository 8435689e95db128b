import numpy as np
import pytest
import tensorflow as tf

from training.networks import Convolution, build_affine, build_convnet, draw_weights, flatten, max_pool, scale

pytestmark = pytest.mark.slow


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


def test_a_convolution_sums_what_is_under_its_kernel_and_rectifies() -> None:
    image = noise(1)[..., tf.newaxis]
    convolution = Convolution(draw_weights([3, 3, 1, 2], seed=1))
    convolution.biases.assign([0.1, -9.0])
    features = convolution(image).numpy()
    assert features.shape == (1, 26, 26, 2)
    by_hand = float(tf.reduce_sum(image[0, 4:7, 2:5] * convolution.kernel[..., 0])) + 0.1
    assert features[0, 4, 2, 0] == pytest.approx(max(0, by_hand), abs=1e-5)
    assert not features[..., 1].any()


def test_max_pooling_keeps_the_largest_of_each_four_values() -> None:
    values = np.array([[1, 2, 5, 0], [4, 3, 0, 0], [9, 8, 1, 1], [7, 6, 1, 2]], np.float32)
    np.testing.assert_array_equal(max_pool(values[np.newaxis, ..., np.newaxis])[0, ..., 0], [[4, 5], [9, 2]])


def test_the_convnet_is_its_layers_one_after_the_other() -> None:
    network = build_convnet(seed=1)
    features = noise(4)[..., tf.newaxis]
    for layer in network.layers:
        features = layer(features)
    np.testing.assert_array_equal(network(noise(4)), network.dense(features))
    assert network(noise(4)).shape == (4, 10)


def test_the_seed_determines_the_weights() -> None:
    one, same, other = (build_convnet(seed=seed) for seed in (1, 1, 20))
    for left, right in zip(one.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.layers[0].kernel, other.layers[0].kernel)
    assert not np.array_equal(one.dense.weights, other.dense.weights)


def test_random_weights_keep_the_variance_of_the_features() -> None:
    assert np.std(draw_weights([3, 3, 64, 64], seed=1)) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
