"""The two networks, from images to logits. Knows nothing of how they are taught, judged or published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.9


class Network(Protocol):
    """What learns: images float32 [B, 28, 28], ink 0 to 1 -> logits float32 [B, 10]."""

    @property
    def architecture(self) -> str:
        """The network in one line."""

    @property
    def variables(self) -> Sequence[tf.Variable]:
        """All that learning changes: the trainable ones, and the batch statistics."""

    @property
    def trainable_variables(self) -> Sequence[tf.Variable]:
        """What the optimiser may change."""

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Give the logits; with `training`, as batch normalisation has them while it learns."""

    def folded(self) -> "Network":
        """Give the network to publish: the same probabilities from fewer operations, and logits that sum to nothing."""


@dataclass(frozen=True)
class ConvolutionShape:
    """A square convolution: its output channels, the width of its kernel, its stride, and whether it pads its input."""

    channels: int
    width: int = 3
    stride: int = 1
    padding: str = "VALID"

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"conv {self.width}x{self.width}x{self.channels}{stride}"


CONVNET_SHAPES = (
    # Wide at once: maps of nearly the image's size cost more to write and read again than the arithmetic in them.
    ConvolutionShape(32, width=5, stride=2),  # [B, 28, 28, 1] -> [B, 12, 12, 32]
    ConvolutionShape(64, stride=2),  # -> [B, 5, 5, 64]
    ConvolutionShape(64),  # -> [B, 3, 3, 64]
    ConvolutionShape(96),  # -> [B, 1, 1, 96]
)


def build_affine() -> "Affine":
    """Build the softmax regression M(x) = xW + b, which starts from zeros."""
    return Affine(tf.zeros([28 * 28, 10]), tf.zeros([10]))


def build_convnet(seed: int, shapes: Sequence[ConvolutionShape] = CONVNET_SHAPES) -> "Convnet":
    """Build convolutions with batch normalisation and ReLU under a dense layer, their weights drawn by the seed."""
    features = tf.zeros([1, 28, 28, 1])
    convolutions = []
    for index, shape in enumerate(shapes):
        convolution = NormalisedConvolution(shape, channels_in=features.shape[-1], seed=seed + index)
        features = convolution(features, training=False)
        convolutions.append(convolution)
    draw = tf.keras.initializers.GlorotUniform(seed=seed + len(shapes))
    return Convnet(convolutions, Affine(draw([flatten(features).shape[-1], 10]), tf.zeros([10])))


def scale(images: tf.Tensor) -> tf.Tensor:
    """Turn ink of 0 to 255 into ink of 0 to 1: uint8 [...] -> float32 [...]."""
    return tf.cast(images, tf.float32) / 255.0


def flatten(features: tf.Tensor) -> tf.Tensor:
    """Lay each image, or each stack of feature maps, out as one vector: [B, ...] -> [B, n]."""
    return tf.reshape(features, [-1, features.shape[1:].num_elements()])


class Affine(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """An affine map of the flattened input, xW + b: [B, ...] -> [B, 10]."""

    def __init__(self, weights: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.weights = tf.Variable(weights, name="weights")  # [n, 10]
        self.biases = tf.Variable(biases, name="biases")  # [10]

    @property
    def architecture(self) -> str:
        """The network in one line."""
        return f"dense {self.biases.shape[0]}"

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 (as Network has it)
        """Give the logits [B, 10]."""
        return tf.matmul(flatten(images), self.weights) + self.biases

    def folded(self) -> "Affine":
        """Give the layer whose ten logits sum to nothing: the same probabilities, and an energy that means something.

        Probabilities do not see what all logits share, so training leaves it to chance, but the energy is made of it.
        """
        return Affine(
            self.weights - tf.reduce_mean(self.weights, axis=1, keepdims=True),
            self.biases - tf.reduce_mean(self.biases),
        )


class Convnet(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Convolutions one after the other, then a dense layer: [B, 28, 28] -> [B, 10]."""

    def __init__(self, convolutions: Sequence["NormalisedConvolution | Convolution"], dense: Affine) -> None:
        super().__init__()
        self.convolutions = list(convolutions)
        self.dense = dense

    @property
    def architecture(self) -> str:
        """The network in one line."""
        return " - ".join([*(str(convolution.shape) for convolution in self.convolutions), self.dense.architecture])

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Give the logits [B, 10]."""
        features = images[..., tf.newaxis]  # [B, 28, 28, 1]
        for convolution in self.convolutions:
            features = convolution(features, training=training)
        return self.dense(features)

    def folded(self) -> "Convnet":
        """Give the network with batch normalisation folded into its convolutions, and logits that sum to nothing."""
        return Convnet([convolution.folded() for convolution in self.convolutions], self.dense.folded())


class NormalisedConvolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution, batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) and ReLU."""

    def __init__(self, shape: ConvolutionShape, channels_in: int, seed: int) -> None:
        super().__init__()
        draw = tf.keras.initializers.HeNormal(seed=seed)
        self.shape = shape
        self.kernel = tf.Variable(draw([shape.width, shape.width, channels_in, shape.channels]), name="kernel")
        self.scale = tf.Variable(tf.ones(shape.channels), name="scale")
        self.offset = tf.Variable(tf.zeros(shape.channels), name="offset")
        self.mean = tf.Variable(tf.zeros(shape.channels), trainable=False, name="mean")
        self.variance = tf.Variable(tf.ones(shape.channels), trainable=False, name="variance")

    def __call__(self, features: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Normalise by the batch and note its statistics in `training`, by those noted otherwise."""
        features = tf.nn.conv2d(features, self.kernel, self.shape.stride, self.shape.padding)
        # One kernel where TensorFlow 2's own spelling, moments and arithmetic, is ten: a step takes 15 % less time.
        normalise = tf.compat.v1.nn.fused_batch_norm
        if training:
            features, mean, variance = normalise(features, self.scale, self.offset, epsilon=BATCH_NORM_EPSILON)
            self.mean.assign_add((1 - BATCH_NORM_MOMENTUM) * (mean - self.mean))
            self.variance.assign_add((1 - BATCH_NORM_MOMENTUM) * (variance - self.variance))
        else:
            features, _, _ = normalise(
                features, self.scale, self.offset, self.mean, self.variance, BATCH_NORM_EPSILON, is_training=False
            )
        return tf.nn.relu(features)

    def folded(self) -> "Convolution":
        """Give the convolution that answers as this one does outside training, with its kernel scaled instead."""
        factor = self.scale * tf.math.rsqrt(self.variance + BATCH_NORM_EPSILON)
        return Convolution(self.shape, kernel=self.kernel * factor, biases=self.offset - self.mean * factor)


class Convolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution with biases and ReLU."""

    def __init__(self, shape: ConvolutionShape, kernel: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.kernel = tf.Variable(kernel, name="kernel")
        self.biases = tf.Variable(biases, name="biases")

    def __call__(self, features: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 (as the other has it)
        """Convolve, shift and rectify."""
        return tf.nn.relu(tf.nn.conv2d(features, self.kernel, self.shape.stride, self.shape.padding) + self.biases)

    def folded(self) -> "Convolution":
        """Give the convolution to publish, which is this one."""
        return self


def count_parameters(network: Network) -> int:
    """Count the numbers that the network learnt."""
    return sum(variable.shape.num_elements() for variable in network.trainable_variables)


def count_multiply_adds(network: Network) -> int:
    """Count the multiplications with an addition for one image, biases left out, in the network's own graph."""
    image = tf.TensorSpec([1, 28, 28], tf.float32)
    graph = tf.function(network).get_concrete_function(image).graph
    return sum(
        operation.outputs[0].shape.num_elements() * operation.inputs[1].shape[:-1].num_elements()
        for operation in graph.get_operations()
        if operation.type in {"Conv2D", "MatMul"}
    )
