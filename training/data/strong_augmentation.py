"""Strong augmentation of training images, such as noise, blur and lighting, for robust models.

Knows nothing of labels or networks. The transformations differ from those of `corruptions.py`, which measure
robustness, and cover a wider range.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.affine_augmentation import augment_affine
from training.recipes import StrongAugmentation

SIDE = 28
PIXELATED_SIDES = range(7, 17)
"""The widths and heights, in pixels, to which `pixelate` reduces an image."""


def augment_strongly(images: tf.Tensor, augmentation: StrongAugmentation, seed: tf.Tensor) -> tf.Tensor:
    """Transform each image of a batch affinely, then apply a random subset of the other transformations.

    Args:
        images: float32 [B, 28, 28], ink 0 to 1.
        augmentation: The affine amounts, and the probability of each other transformation.
        seed: Two integers. The same seed gives the same result.

    Returns:
        float32 [B, 28, 28], ink 0 to 1.

    """
    transformations = (
        change_thickness,
        keep_outline,
        add_strokes,
        gaussian_blur,
        invert_band,
        change_lighting,
        add_gaussian_noise,
        replace_pixels,
        pixelate,
    )
    selected = uniform([len(transformations), tf.shape(images)[0], 1, 1], seed) < augmentation.probability
    seeds = tf.unstack(tf.random.split(seed, len(transformations) + 1))
    images = augment_affine(images, augmentation.affine, seeds[-1])
    for transform, mask, own_seed in zip(transformations, tf.unstack(selected), seeds[:-1], strict=True):
        images = tf.where(mask, tf.clip_by_value(transform(images, own_seed), 0.0, 1.0), images)
    return images


def change_thickness(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Make the strokes up to two pixels thicker, or up to a pixel thinner. The thinner they are, the fainter."""
    random = uniform([2, tf.shape(images)[0], 1, 1], seed)
    thicker = images + random[1] * (_dilate(images) - images)
    thinner = images - 0.6 * random[1] * (images + _dilate(-images))
    return tf.where(random[0] < 0.6, thicker, thinner)


def keep_outline(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Replace the ink by its outline, one pixel wide, inside or outside the edge."""
    random = uniform([2, tf.shape(images)[0], 1, 1], seed)
    ink = tf.cast(images > 0.2 + 0.6 * random[0], tf.float32)
    dilated, eroded = _dilate(ink), -_dilate(-ink)
    return tf.where(random[1] < 0.5, ink - eroded, dilated - ink)


def add_strokes(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Add up to five thin strokes. A third of them are straight, a third are curved and a third are jagged."""
    x, y = _pixel_grid()
    for own_seed in tf.unstack(tf.random.split(seed, 5)):
        random = uniform([10, tf.shape(images)[0], 1, 1], own_seed)
        angle, offset, middle, length, width, present, form, bend, period, phase = tf.unstack(random)
        across = x * tf.cos(math.pi * angle) + y * tf.sin(math.pi * angle) - 24 * (offset - 0.5)
        along = y * tf.cos(math.pi * angle) - x * tf.sin(math.pi * angle) - 28 * (middle - 0.5)
        slope = 3 * (bend - 0.5)
        curve = slope * along**2 / 28
        # A triangle wave of this slope, with a period of 5 to 17 pixels.
        waves = along / (5 + 12 * period) + phase
        teeth = slope * (5 + 12 * period) * (tf.abs(waves - tf.round(waves)) - 0.25)
        line = tf.where(form < 1 / 3, 0.0, tf.where(form < 2 / 3, curve, teeth))
        steepness = tf.where(form < 1 / 3, 0.0, tf.where(form < 2 / 3, slope * along / 14, slope))
        distance = tf.abs(across - line) / tf.sqrt(1 + steepness**2)
        stroke = tf.clip_by_value(0.7 + 0.8 * width - distance, 0.0, 1.0)
        images = tf.where((present < 0.7) & (tf.abs(along) < 2 + 14 * length), tf.maximum(images, stroke), images)
    return images


def gaussian_blur(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Blur with a Gaussian whose horizontal and vertical standard deviations are each 0.3 to 2 pixels."""
    horizontal, vertical = tf.unstack(0.3 + 1.7 * uniform([2, tf.shape(images)[0], 1, 1], seed))
    return _gaussian_matrix(vertical) @ images @ tf.linalg.matrix_transpose(_gaussian_matrix(horizontal))


def invert_band(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Invert the pixels inside, or outside, a band of random direction, position and width."""
    angle, offset, width, outside = tf.unstack(uniform([4, tf.shape(images)[0], 1, 1], seed))
    x, y = _pixel_grid()
    across = x * tf.cos(2 * math.pi * angle) + y * tf.sin(2 * math.pi * angle) - 16 * (offset - 0.5)
    inside = tf.abs(across) < 3 + 9 * width
    return tf.where(tf.math.logical_xor(inside, outside < 0.6), 1 - images, images)


def change_lighting(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Reduce the contrast and add light that is uniform or varies over the image at several scales."""
    count = tf.shape(images)[0]
    seeds = tf.unstack(tf.random.split(seed, 5))
    weights = uniform([4, count, 1, 1], seeds[0])
    noise = tf.add_n(
        [
            weight * _resize_bilinear(uniform([count, size, size], own_seed))
            for weight, size, own_seed in zip(tf.unstack(weights), (2, 4, 7, 14), seeds[1:], strict=True)
        ]
    )
    lowest, highest = (f(noise, axis=[1, 2], keepdims=True) for f in (tf.reduce_min, tf.reduce_max))
    level, variation, contrast = tf.unstack(uniform([3, count, 1, 1], seed))
    light = level + variation * ((noise - lowest) / (highest - lowest + 1e-6) - level)
    share = 0.2 + 0.8 * contrast**2
    return images * share + 1.2 * light * (1 - share)


def add_gaussian_noise(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Add Gaussian noise with a standard deviation of up to 0.5, equally to all pixels."""
    strength = uniform([tf.shape(images)[0], 1, 1], seed)
    return images + 0.5 * strength * tf.random.stateless_normal(tf.shape(images), seed + 1)


def replace_pixels(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Replace up to a quarter of the pixels by random greys."""
    share = 0.25 * uniform([tf.shape(images)[0], 1, 1], seed)
    random, grey = tf.unstack(uniform(tf.concat([[2], tf.shape(images)], axis=0), seed + 1))
    return tf.where(random < share, grey, images)


def pixelate(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Reduce each image to a width and a height of 7 to 16 pixels, and enlarge it, in squares or smoothly."""
    matrices = tf.constant(_pixelation_matrices())  # [k, 28, 28]
    choice = uniform([tf.shape(images)[0]], seed) * len(matrices)
    matrix = tf.gather(matrices, tf.cast(choice, tf.int32))  # [B, 28, 28]
    return matrix @ images @ tf.linalg.matrix_transpose(matrix)


@cache
def _pixelation_matrices() -> npt.NDArray[np.float32]:
    """Return the matrices, (k, 28, 28), that reduce a column by averaging and enlarge it: in squares, then linearly."""
    edges = np.arange(SIDE + 1)
    matrices: list[npt.NDArray[np.float64]] = []
    for side in PIXELATED_SIDES:
        coarse = np.linspace(0, SIDE, side + 1)
        overlap = np.minimum(edges[1:], coarse[1:, np.newaxis]) - np.maximum(edges[:-1], coarse[:-1, np.newaxis])
        average = np.maximum(overlap, 0) / (SIDE / side)  # [side, 28]
        positions = (np.arange(SIDE) + 0.5) * side / SIDE - 0.5
        distance = np.abs(np.clip(positions, 0, side - 1)[:, np.newaxis] - np.arange(side))
        nearest = np.eye(side)[distance.argmin(axis=1)]  # [28, side]
        matrices += [nearest @ average, np.maximum(0, 1 - distance) @ average]
    return np.array(matrices, np.float32)


def uniform(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw float32 numbers from the uniform distribution over 0 to 1."""
    return tf.random.stateless_uniform(shape, seed)


def _pixel_grid() -> tuple[tf.Tensor, tf.Tensor]:
    """Return x, [1, 1, 28], and y, [1, 28, 1], of each pixel, from the centre of the image."""
    positions = tf.range(SIDE, dtype=tf.float32) - 13.5
    return positions[tf.newaxis, tf.newaxis, :], positions[tf.newaxis, :, tf.newaxis]


def _dilate(images: tf.Tensor) -> tf.Tensor:
    """Replace each pixel by the maximum of its 3 x 3 neighbourhood."""
    return tf.nn.max_pool2d(images[..., tf.newaxis], 3, 1, "SAME")[..., 0]


def _gaussian_matrix(deviation: tf.Tensor) -> tf.Tensor:
    """Return the matrices, [B, 28, 28], that blur columns by the standard deviations [B, 1, 1], in pixels."""
    positions = tf.range(SIDE, dtype=tf.float32)
    weights = tf.exp(-((positions[:, tf.newaxis] - positions) ** 2) / (2 * deviation**2))
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _resize_bilinear(coarse: tf.Tensor) -> tf.Tensor:
    """Enlarge [B, g, g] to [B, 28, 28] by bilinear interpolation."""
    size = coarse.shape[1]
    positions = tf.linspace(0.0, size - 1.0, SIDE)
    weights = tf.maximum(0.0, 1 - tf.abs(positions[:, tf.newaxis] - tf.range(size, dtype=tf.float32)))
    return weights @ coarse @ tf.transpose(weights)
