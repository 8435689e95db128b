"""The two networks of the lesson: an affine map, and a convolutional network.

Each is a function from images, float32 [B, 28, 28], ink 0 to 1, to logits, float32 [B, 10]. Knows nothing of training.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf


def build_affine() -> "Affine":
    """Build the softmax regression. All weights are 0, so the probability of each digit is 0.1."""
    return Affine(tf.zeros([28 * 28, 10]), tf.zeros([10]))


def build_convnet(seed: int) -> "Convnet":
    """Build four convolutions, two max-poolings and a dense layer. The seed determines the random weights."""
    return Convnet(
        [
            Convolution(draw_weights([5, 5, 1, 32], seed)),  # [B, 28, 28, 1] -> [B, 24, 24, 32]
            max_pool,  # -> [B, 12, 12, 32]
            Convolution(draw_weights([3, 3, 32, 64], seed + 1)),  # -> [B, 10, 10, 64]
            Convolution(draw_weights([3, 3, 64, 64], seed + 2)),  # -> [B, 8, 8, 64]
            max_pool,  # -> [B, 4, 4, 64]
            Convolution(draw_weights([3, 3, 64, 128], seed + 3)),  # -> [B, 2, 2, 128]
        ],
        Affine(draw_weights([2 * 2 * 128, 10], seed + 4), tf.zeros([10])),  # -> [B, 10]
    )


class Affine(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """An affine map of the flattened input, xW + b: [B, ...] -> [B, m]. In a network, it is called a dense layer."""

    def __init__(self, weights: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.weights = tf.Variable(weights, name="weights")  # [n, m]
        self.biases = tf.Variable(biases, name="biases")  # [m]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiply by the weights and add the biases."""
        return tf.matmul(flatten(inputs), self.weights) + self.biases


class Convolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution and a ReLU: feature maps [B, h, w, c] -> [B, h', w', channels]."""

    def __init__(self, kernel: tf.Tensor) -> None:
        super().__init__()
        self.kernel = tf.Variable(kernel, name="kernel")  # [height, width, c, channels]
        self.biases = tf.Variable(tf.zeros(kernel.shape[-1]), name="biases")  # [channels]

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Convolve, add the biases and replace what is below 0 by 0."""
        return tf.nn.relu(tf.nn.conv2d(features, self.kernel, 1, "VALID") + self.biases)


class Convnet(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Layers on feature maps one after the other, and a dense layer: [B, 28, 28] -> [B, 10]."""

    def __init__(self, layers: Sequence[Callable[[tf.Tensor], tf.Tensor]], dense: Affine) -> None:
        super().__init__()
        self.layers = list(layers)
        self.dense = dense

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return the logits."""
        features = images[..., tf.newaxis]  # [B, 28, 28, 1]
        for layer in self.layers:
            features = layer(features)
        return self.dense(features)


def max_pool(features: tf.Tensor) -> tf.Tensor:
    """Keep the largest of each 2x2 values of a feature map: [B, h, w, c] -> [B, h/2, w/2, c]."""
    return tf.nn.max_pool2d(features, ksize=2, strides=2, padding="VALID")


def draw_weights(shape: Sequence[int], seed: int) -> tf.Tensor:
    """Draw random weights that keep the variance of the features from layer to layer.

    Source: He et al. 2015, arXiv:1502.01852.
    """
    return tf.keras.initializers.HeNormal(seed=seed)(shape)


def scale(images: tf.Tensor) -> tf.Tensor:
    """Scale ink from 0..255 to 0..1: uint8 [...] -> float32 [...]."""
    return tf.cast(images, tf.float32) / 255.0


def flatten(features: tf.Tensor) -> tf.Tensor:
    """Flatten each image, or its feature maps, to a vector: [B, ...] -> [B, n]."""
    return tf.reshape(features, [-1, features.shape[1:].num_elements()])
