"""Random affine transformations of training images, so that no two epochs show the same images."""

import math

import tensorflow as tf

from training.recipes import AffineAugmentation


def augment_affine(images: tf.Tensor, augmentation: AffineAugmentation, seed: tf.Tensor) -> tf.Tensor:
    """Rotate, scale, shear and shift each image of a batch by random amounts.

    Args:
        images: float32 [B, 28, 28]. Pixels from outside the image are 0.
        augmentation: The largest amounts.
        seed: Two integers. The same seed gives the same result.

    Returns:
        float32 [B, 28, 28].

    """
    count = tf.shape(images)[0]
    random = tf.random.stateless_uniform([6, count], seed, -1.0, 1.0)
    angle = random[0] * math.radians(augmentation.rotation)
    scale_x = tf.exp(random[1] * augmentation.scale)
    scale_y = tf.exp(random[2] * augmentation.scale)
    shear = random[3] * augmentation.shear
    shift_x = random[4] * augmentation.shift
    shift_y = random[5] * augmentation.shift

    # The map from output to input pixels: rotation x shear x scale about the centre, then the shift.
    xx = tf.cos(angle) * scale_x
    xy = (tf.cos(angle) * shear - tf.sin(angle)) * scale_y
    yx = tf.sin(angle) * scale_x
    yy = (tf.sin(angle) * shear + tf.cos(angle)) * scale_y
    centre = 13.5
    x = centre - xx * centre - xy * centre + shift_x
    y = centre - yx * centre - yy * centre + shift_y
    zero = tf.zeros([count])  # no perspective
    transformed = tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., tf.newaxis],  # [B, 28, 28, 1]
        transforms=tf.stack([xx, xy, x, yx, yy, y, zero, zero], axis=1),  # [B, 8]
        output_shape=[28, 28],
        fill_value=0.0,
        interpolation="BILINEAR",
    )
    return transformed[..., 0]
