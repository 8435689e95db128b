"""The two networks, from images to logits. Knows nothing of training, evaluation or publishing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.9


class Network(Protocol):
    """A classifier: images float32 [B, 28, 28], ink 0 to 1 -> logits float32 [B, 10]."""

    @property
    def architecture(self) -> str:
        """A description of the layers in one line."""

    @property
    def variables(self) -> Sequence[tf.Variable]:
        """The trainable variables and the statistics of batch normalisation."""

    @property
    def trainable_variables(self) -> Sequence[tf.Variable]:
        """The variables that the optimiser updates."""

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Return the logits. With `training`, batch normalisation uses and updates the batch statistics."""

    def for_inference(self) -> "Network":
        """Return an equivalent network for inference: batch normalisation folded into weights, and centred logits.

        The probabilities are the same. The ten logits of each image sum to 0.
        """


@dataclass(frozen=True)
class ConvolutionShape:
    """The hyperparameters of a convolution with a square kernel."""

    channels: int
    """The output channels."""
    width: int = 3
    """The width of the kernel."""
    stride: int = 1
    padding: str = "VALID"

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"conv {self.width}x{self.width}x{self.channels}{stride}"


CONVNET_SHAPES = (
    # The first layers have a stride of 2: memory traffic of larger feature maps costs more time than their arithmetic.
    ConvolutionShape(32, width=5, stride=2),  # [B, 28, 28, 1] -> [B, 12, 12, 32]
    ConvolutionShape(64, stride=2),  # -> [B, 5, 5, 64]
    ConvolutionShape(64),  # -> [B, 3, 3, 64]
    ConvolutionShape(96),  # -> [B, 1, 1, 96]
)


def build_affine() -> "Affine":
    """Build the softmax regression, logits = xW + b, with all weights 0."""
    return Affine(tf.zeros([28 * 28, 10]), tf.zeros([10]))


def build_convnet(seed: int, shapes: Sequence[ConvolutionShape] = CONVNET_SHAPES) -> "Convnet":
    """Build convolutions with batch normalisation and ReLU, and a dense layer. The seed determines the weights."""
    features = tf.zeros([1, 28, 28, 1])
    convolutions = []
    for index, shape in enumerate(shapes):
        convolution = NormalisedConvolution(shape, channels_in=features.shape[-1], seed=seed + index)
        features = convolution(features, training=False)
        convolutions.append(convolution)
    initializer = tf.keras.initializers.GlorotUniform(seed=seed + len(shapes))
    return Convnet(convolutions, Affine(initializer([flatten(features).shape[-1], 10]), tf.zeros([10])))


def scale(images: tf.Tensor) -> tf.Tensor:
    """Scale ink from 0..255 to 0..1: uint8 [...] -> float32 [...]."""
    return tf.cast(images, tf.float32) / 255.0


def flatten(features: tf.Tensor) -> tf.Tensor:
    """Flatten each image, or its feature maps, to a vector: [B, ...] -> [B, n]."""
    return tf.reshape(features, [-1, features.shape[1:].num_elements()])


class Affine(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """An affine map of the flattened input, xW + b: [B, ...] -> [B, 10]."""

    def __init__(self, weights: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.weights = tf.Variable(weights, name="weights")  # [n, 10]
        self.biases = tf.Variable(biases, name="biases")  # [10]

    @property
    def architecture(self) -> str:
        """A description of the layers in one line."""
        return f"dense {self.biases.shape[0]}"

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 (as in Network)
        """Return the logits [B, 10]."""
        return tf.matmul(flatten(images), self.weights) + self.biases

    def for_inference(self) -> "Affine":
        """Return the layer with centred logits: the ten logits of each image sum to 0.

        A constant added to all logits changes no probability, so training leaves it arbitrary. It does change the
        energy, by which a model abstains.
        """
        return Affine(
            self.weights - tf.reduce_mean(self.weights, axis=1, keepdims=True),
            self.biases - tf.reduce_mean(self.biases),
        )


class Convnet(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A sequence of convolutions and a dense layer: [B, 28, 28] -> [B, 10]."""

    def __init__(self, convolutions: Sequence["NormalisedConvolution | Convolution"], dense: Affine) -> None:
        super().__init__()
        self.convolutions = list(convolutions)
        self.dense = dense

    @property
    def architecture(self) -> str:
        """A description of the layers in one line."""
        return " - ".join([*(str(convolution.shape) for convolution in self.convolutions), self.dense.architecture])

    def __call__(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Return the logits [B, 10]."""
        features = images[..., tf.newaxis]  # [B, 28, 28, 1]
        for convolution in self.convolutions:
            features = convolution(features, training=training)
        return self.dense(features)

    def for_inference(self) -> "Convnet":
        """Return the network with batch normalisation folded into its convolutions, and with centred logits."""
        convolutions = [convolution.fold_batch_norm() for convolution in self.convolutions]
        return Convnet(convolutions, self.dense.for_inference())


class NormalisedConvolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution, batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) and ReLU."""

    def __init__(self, shape: ConvolutionShape, channels_in: int, seed: int) -> None:
        super().__init__()
        initializer = tf.keras.initializers.HeNormal(seed=seed)
        self.shape = shape
        self.kernel = tf.Variable(initializer([shape.width, shape.width, channels_in, shape.channels]), name="kernel")
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
            features, mean, variance = normalise(features, self.scale, self.offset, epsilon=BATCH_NORM_EPSILON)
            self.mean.assign_add((1 - BATCH_NORM_MOMENTUM) * (mean - self.mean))
            self.variance.assign_add((1 - BATCH_NORM_MOMENTUM) * (variance - self.variance))
        else:
            features, _, _ = normalise(
                features, self.scale, self.offset, self.mean, self.variance, BATCH_NORM_EPSILON, is_training=False
            )
        return tf.nn.relu(features)

    def fold_batch_norm(self) -> "Convolution":
        """Return the equivalent convolution for inference, with the normalisation folded into kernel and biases."""
        factor = self.scale * tf.math.rsqrt(self.variance + BATCH_NORM_EPSILON)
        return Convolution(self.shape, kernel=self.kernel * factor, biases=self.offset - self.mean * factor)


class Convolution(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A convolution with biases and ReLU."""

    def __init__(self, shape: ConvolutionShape, kernel: tf.Tensor, biases: tf.Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.kernel = tf.Variable(kernel, name="kernel")
        self.biases = tf.Variable(biases, name="biases")

    def __call__(self, features: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 (one interface)
        """Convolve, add the biases and rectify."""
        return tf.nn.relu(tf.nn.conv2d(features, self.kernel, self.shape.stride, self.shape.padding) + self.biases)

    def fold_batch_norm(self) -> "Convolution":
        """Return this convolution, which has no batch normalisation."""
        return self


def count_parameters(network: tf.Module) -> int:
    """Count the trainable parameters."""
    return sum(variable.shape.num_elements() for variable in network.trainable_variables)


def count_multiply_adds(network: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int] = (28, 28)) -> int:
    """Count the multiply-add operations for one image of this shape, without biases, in the graph of the network."""
    image = tf.TensorSpec([1, *shape], tf.float32)
    graph = tf.function(network).get_concrete_function(image).graph
    return sum(
        operation.outputs[0].shape.num_elements() * operation.inputs[1].shape[:-1].num_elements()
        for operation in graph.get_operations()
        if operation.type in {"Conv2D", "MatMul"}
    )
