"""The network of the finder, from pages to maps. Knows nothing of training, evaluation or publishing."""

from collections.abc import Sequence
from itertools import pairwise

import tensorflow as tf

from training.batch_normalisation import FoldedConvolution, NormalisedConvolution
from training.recipes import ConvolutionShape

CHANNELS = (12, 24, 48, 80, 128)
"""The channels at each resolution, from 96x96 to 6x6."""
MAPS = 2
"""Ink and cores."""
_KERNEL = 3

Block = Sequence[NormalisedConvolution | FoldedConvolution]
"""Convolutions at one resolution."""


def build_finder(seed: int, channels: Sequence[int] = CHANNELS) -> "FinderNetwork":
    """Build the network. The seed determines the weights."""
    seeds = iter(range(seed, seed + 100))

    def convolution(channels_in: int, channels_out: int, width: int = _KERNEL) -> NormalisedConvolution:
        shape = ConvolutionShape(channels_out, width=width, padding="SAME")
        return NormalisedConvolution(shape, channels_in, next(seeds))

    inputs = (12, *channels[:-1])
    down = [[convolution(inputs[0], channels[0])]]
    down += [[convolution(a, b), convolution(b, b)] for a, b in zip(inputs[1:], channels[1:], strict=True)]
    lateral = [convolution(b, a, width=1) for a, b in pairwise(channels)]
    up = [[convolution(a, a)] for a in channels[:-1]]
    up[0].append(convolution(channels[0], channels[0]))  # digits that touch are separated at the highest resolution
    initializer = tf.keras.initializers.GlorotUniform(seed=next(seeds))
    head = tf.Variable(initializer([1, 1, channels[0], MAPS]), name="head")
    # Few cells belong to digits: the first predictions say so, and the first steps need not learn it.
    return FinderNetwork(down, lateral, up, head, tf.Variable(tf.fill([MAPS], -3.0), name="head_biases"))


class FinderNetwork(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with sums in place of concatenations.

    The first step packs each 2x2 pixels into one cell of 12 values, so that no convolution runs on 192x192 pixels:
    this would take most of the time.
    """

    def __init__(
        self, down: Sequence[Block], lateral: Block, up: Sequence[Block], head: tf.Variable, biases: tf.Variable
    ) -> None:
        super().__init__()
        self.down, self.lateral, self.up = list(down), list(lateral), list(up)
        self.head, self.biases = head, biases

    @property
    def architecture(self) -> str:
        """A description of the layers in one line."""
        channels = "-".join(str(block[-1].shape.channels) for block in self.down)
        return f"U-Net {channels}, {MAPS} maps"

    def __call__(self, pictures: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Return the logits of ink and cores, [B, h/2, w/2, 2], for pictures [B, h, w, 3], RGB from 0 to 1.

        Height and width are multiples of 32.
        """
        features = tf.nn.space_to_depth(pictures, 2)  # [B, h/2, w/2, 12]
        levels = []
        for index, block in enumerate(self.down):
            if index:
                features = tf.nn.max_pool2d(features, 2, 2, "VALID")
            features = _apply(block, features, training=training)
            levels.append(features)
        for index in reversed(range(len(self.up))):
            features = self.lateral[index](features, training=training)
            features = levels[index] + _double(features)
            features = _apply(self.up[index], features, training=training)
        return tf.nn.conv2d(features, self.head, 1, "SAME") + self.biases

    def for_inference(self) -> "FinderNetwork":
        """Return the network with batch normalisation folded into its convolutions."""
        return FinderNetwork(
            [_fold(block) for block in self.down],
            _fold(self.lateral),
            [_fold(block) for block in self.up],
            self.head,
            self.biases,
        )


def _apply(block: Block, features: tf.Tensor, *, training: bool) -> tf.Tensor:
    for convolution in block:
        features = convolution(features, training=training)
    return features


def _fold(block: Block) -> Block:
    return [convolution.fold_batch_norm() for convolution in block]


def _double(features: tf.Tensor) -> tf.Tensor:
    """Double height and width: each cell becomes four."""
    return tf.repeat(tf.repeat(features, 2, axis=1), 2, axis=2)
