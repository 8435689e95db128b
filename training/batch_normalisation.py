"""Convolutions with batch normalisation, and the convolutional network that is made of them.

Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) computes something else in training than for inference,
where it is folded into the weights. Knows nothing of training, evaluation or publishing.
"""

from collections.abc import Sequence

import tensorflow as tf

from training.networks import Affine, Convnet, draw_weights, flatten
from training.recipes import ConvolutionShape

EPSILON = 1e-3
MOMENTUM = 0.9


def build_normalised_convnet(shapes: Sequence[ConvolutionShape], seed: int) -> "NormalisedConvnet":
    """Build convolutions with batch normalisation and ReLU, and a dense layer. The seed determines the weights."""
    features = tf.zeros([1, 28, 28, 1])
    convolutions = []
    for index, shape in enumerate(shapes):
        convolution = NormalisedConvolution(shape, channels_in=features.shape[-1], seed=seed + index)
        features = convolution(features, training=False)
        convolutions.append(convolution)
    initializer = tf.keras.initializers.GlorotUniform(seed=seed + len(shapes))
    return NormalisedConvnet(convolutions, Affine(initializer([flatten(features).shape[-1], 10]), tf.zeros([10])))


class NormalisedConvnet(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A sequence of normalised convolutions and a dense layer, as it is in training: [B, 28, 28] -> [B, 10]."""

    def __init__(self, convolutions: Sequence["NormalisedConvolution"], dense: Affine) -> None:
        super().__init__()
        self.convolutions = list(convolutions)
        self.dense = dense

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return the logits, normalised by the statistics of the batch, and update the running averages."""
        features = images[..., tf.newaxis]  # [B, 28, 28, 1]
        for convolution in self.convolutions:
            features = convolution(features, training=True)
        return self.dense(features)

    def for_inference(self) -> Convnet:
        """Return the network that normalises by the running averages, folded into its convolutions."""
        return Convnet([convolution.fold_batch_norm() for convolution in self.convolutions], self.dense)


class NormalisedConvolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution, batch normalisation and ReLU."""

    def __init__(self, shape: ConvolutionShape, channels_in: int, seed: int) -> None:
        super().__init__()
        self.shape = shape
        kernel = draw_weights([shape.width, shape.width, channels_in, shape.channels], seed)
        self.kernel = tf.Variable(kernel, name="kernel")
        self.scale = tf.Variable(tf.ones(shape.channels), name="scale")
        self.offset = tf.Variable(tf.zeros(shape.channels), name="offset")
        self.mean = tf.Variable(tf.zeros(shape.channels), trainable=False, name="mean")
        self.variance = tf.Variable(tf.ones(shape.channels), trainable=False, name="variance")

    def __call__(self, features: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Convolve, normalise and rectify.

        With `training`, the normalisation uses the statistics of the batch and updates the running averages. Otherwise
        it uses the running averages.
        """
        features = tf.nn.conv2d(features, self.kernel, self.shape.stride, self.shape.padding)
        # One fused kernel. tf.nn.moments and tf.nn.batch_normalization run about ten; a step takes 15 % less time.
        normalise = tf.compat.v1.nn.fused_batch_norm
        if training:
            features, mean, variance = normalise(features, self.scale, self.offset, epsilon=EPSILON)
            self.mean.assign_add((1 - MOMENTUM) * (mean - self.mean))
            self.variance.assign_add((1 - MOMENTUM) * (variance - self.variance))
        else:
            features, _, _ = normalise(
                features, self.scale, self.offset, self.mean, self.variance, EPSILON, is_training=False
            )
        return tf.nn.relu(features)

    def fold_batch_norm(self) -> "FoldedConvolution":
        """Return the equivalent convolution for inference, with the normalisation folded into kernel and biases."""
        factor = self.scale * tf.math.rsqrt(self.variance + EPSILON)
        return FoldedConvolution(self.shape, kernel=self.kernel * factor, biases=self.offset - self.mean * factor)


class FoldedConvolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution with biases and ReLU, in place of a normalised convolution."""

    def __init__(self, shape: ConvolutionShape, kernel: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.kernel = tf.Variable(kernel, name="kernel")
        self.biases = tf.Variable(biases, name="biases")

    def __call__(self, features: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 (as before folding)
        """Convolve, add the biases and rectify."""
        return tf.nn.relu(tf.nn.conv2d(features, self.kernel, self.shape.stride, self.shape.padding) + self.biases)

    def fold_batch_norm(self) -> "FoldedConvolution":
        """Return this convolution, which has no batch normalisation."""
        return self
