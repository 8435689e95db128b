"""Training images disturbed in many ways, so that what is learnt holds for more than clean scans.

Knows nothing of labels or networks, nor of `training/corruptions.py`, which measures and never teaches. The ways are
meant to be wider than what is measured, and none is made as it is there.
"""

import math

import tensorflow as tf

from training.augmentation import augment
from training.config import Disturbance

SIDE = 28


def disturb(images: tf.Tensor, disturbance: Disturbance, seed: tf.Tensor) -> tf.Tensor:
    """Move each image of a batch, and disturb it in some ways, drawn for it by the seed (two integers).

    Images are float32 [B, 28, 28], ink 0 to 1, before and after.
    """
    ways = (leave_edges, scratch, blur, invert, relight, add_noise, replace_pixels)
    chosen = uniform([len(ways), tf.shape(images)[0], 1, 1], seed) < disturbance.chance
    seeds = tf.unstack(tf.random.split(seed, len(ways) + 1))
    images = augment(images, disturbance.movement, seeds[-1])
    for way, picked, own_seed in zip(ways, tf.unstack(chosen), seeds[:-1], strict=True):
        images = tf.where(picked, tf.clip_by_value(way(images, own_seed), 0.0, 1.0), images)
    return images


def leave_edges(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Leave the outline of the ink, one pixel wide, within it or around it."""
    drawn = uniform([2, tf.shape(images)[0], 1, 1], seed)
    ink = tf.cast(images > 0.2 + 0.6 * drawn[0], tf.float32)
    grown, shrunk = _highest_around(ink), -_highest_around(-ink)
    return tf.where(drawn[1] < 0.5, ink - shrunk, grown - ink)


def scratch(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw up to five straight strokes of a thin pen."""
    x, y = _grid()
    for own_seed in tf.unstack(tf.random.split(seed, 5)):
        angle, aside, middle, length, width, there = tf.unstack(uniform([6, tf.shape(images)[0], 1, 1], own_seed))
        across = x * tf.cos(math.pi * angle) + y * tf.sin(math.pi * angle) - 24 * (aside - 0.5)
        along = y * tf.cos(math.pi * angle) - x * tf.sin(math.pi * angle) - 28 * (middle - 0.5)
        stroke = tf.clip_by_value(0.7 + 0.8 * width - tf.abs(across), 0.0, 1.0)
        images = tf.where((there < 0.7) & (tf.abs(along) < 2 + 14 * length**2), tf.maximum(images, stroke), images)
    return images


def blur(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Blur with a Gaussian of 0.3 to 2 pixels, level and upright apart."""
    level, upright = tf.unstack(0.3 + 1.7 * uniform([2, tf.shape(images)[0], 1, 1], seed))
    return _gaussian(upright) @ images @ tf.linalg.matrix_transpose(_gaussian(level))


def invert(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Turn a band of any width and direction, or all but such a band, into its negative."""
    angle, aside, width, outside = tf.unstack(uniform([4, tf.shape(images)[0], 1, 1], seed))
    x, y = _grid()
    across = x * tf.cos(2 * math.pi * angle) + y * tf.sin(2 * math.pi * angle) - 16 * (aside - 0.5)
    within = tf.abs(across) < 3 + 9 * width
    return tf.where(tf.math.logical_xor(within, outside < 0.6), 1 - images, images)


def relight(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Take contrast from ink and paper, and put them in a light that is even, or in patches of several sizes."""
    count = tf.shape(images)[0]
    seeds = tf.unstack(tf.random.split(seed, 5))
    weights = uniform([4, count, 1, 1], seeds[0])
    patches = tf.add_n(
        [
            weight * _stretch(uniform([count, grain, grain], own_seed))
            for weight, grain, own_seed in zip(tf.unstack(weights), (2, 4, 7, 14), seeds[1:], strict=True)
        ]
    )
    lowest, highest = (f(patches, axis=[1, 2], keepdims=True) for f in (tf.reduce_min, tf.reduce_max))
    even, patchy, contrast = tf.unstack(uniform([3, count, 1, 1], seed))
    light = even + patchy * ((patches - lowest) / (highest - lowest + 1e-6) - even)
    share = 0.2 + 0.8 * contrast**2
    return images * share + 1.2 * light * (1 - share)


def add_noise(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Add Gaussian noise, everywhere or where there is ink."""
    strength, where = tf.unstack(uniform([2, tf.shape(images)[0], 1, 1], seed))
    noise = tf.random.stateless_normal(tf.shape(images), seed + 1)
    return images + 0.5 * strength * noise * tf.where(where < 0.5, tf.sqrt(images), 1.0)


def replace_pixels(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Give up to a quarter of the pixels a grey of chance."""
    share = 0.25 * uniform([tf.shape(images)[0], 1, 1], seed)
    drawn, grey = tf.unstack(uniform(tf.concat([[2], tf.shape(images)], axis=0), seed + 1))
    return tf.where(drawn < share, grey, images)


def uniform(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw numbers from 0 to 1."""
    return tf.random.stateless_uniform(shape, seed)


def _grid() -> tuple[tf.Tensor, tf.Tensor]:
    """Give x, [1, 1, 28], and y, [1, 28, 1], of the pixels, from the middle."""
    places = tf.range(SIDE, dtype=tf.float32) - 13.5
    return places[tf.newaxis, tf.newaxis, :], places[tf.newaxis, :, tf.newaxis]


def _highest_around(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(images[..., tf.newaxis], 3, 1, "SAME")[..., 0]


def _gaussian(deviation: tf.Tensor) -> tf.Tensor:
    """Give what blurs columns, [B, 28, 28], by as many pixels as each image has, [B, 1, 1]."""
    places = tf.range(SIDE, dtype=tf.float32)
    weights = tf.exp(-((places[:, tf.newaxis] - places) ** 2) / (2 * deviation**2))
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _stretch(coarse: tf.Tensor) -> tf.Tensor:
    """Enlarge [B, g, g] to [B, 28, 28], straight between the values."""
    grain = coarse.shape[1]
    places = tf.linspace(0.0, grain - 1.0, SIDE)
    weights = tf.maximum(0.0, 1 - tf.abs(places[:, tf.newaxis] - tf.range(grain, dtype=tf.float32)))
    return weights @ coarse @ tf.transpose(weights)
