"""Training images changed a little, so that no two epochs show the same ones. Knows nothing of labels or networks."""

import math

import tensorflow as tf

from training.config import Augmentation


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Turn, stretch, shear and shift each image of a batch by amounts of its own, drawn by the seed (two integers).

    Images are float32 [B, 28, 28] before and after; what comes in from outside is black.
    """
    count = tf.shape(images)[0]
    drawn = tf.random.stateless_uniform([6, count], seed, -1.0, 1.0)
    angle = drawn[0] * math.radians(augmentation.rotation)
    stretch_x = tf.exp(drawn[1] * augmentation.scale)
    stretch_y = tf.exp(drawn[2] * augmentation.scale)
    shear = drawn[3] * augmentation.shear
    shift_x = drawn[4] * augmentation.shift
    shift_y = drawn[5] * augmentation.shift

    # Where each pixel of the new image comes from: rotation x shear x stretch about the middle, then the shift.
    xx = tf.cos(angle) * stretch_x
    xy = (tf.cos(angle) * shear - tf.sin(angle)) * stretch_y
    yx = tf.sin(angle) * stretch_x
    yy = (tf.sin(angle) * shear + tf.cos(angle)) * stretch_y
    middle = 13.5
    x = middle - xx * middle - xy * middle + shift_x
    y = middle - yx * middle - yy * middle + shift_y
    level = tf.zeros([count])  # no perspective
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., tf.newaxis],  # [B, 28, 28, 1]
        transforms=tf.stack([xx, xy, x, yx, yy, y, level, level], axis=1),  # [B, 8]
        output_shape=[28, 28],
        fill_value=0.0,
        interpolation="BILINEAR",
    )
    return moved[..., 0]
