from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from training.data.affine_augmentation import augment_affine
from training.recipes import AffineAugmentation

pytestmark = pytest.mark.slow

IDENTITY = AffineAugmentation(rotation=0, scale=0, shear=0, shift=0)
SPOT = np.zeros((200, 28, 28), np.float32)
SPOT[:, 12:16, 12:16] = 1  # at the centre
BAR = np.zeros((200, 28, 28), np.float32)
BAR[:, 4:24, 13:15] = 1


def centres(images: tf.Tensor) -> np.ndarray:
    """Return the centre of mass of each image, (n, 2): row and column, from the centre of the image."""
    mass = np.asarray(images)
    places = np.stack(np.mgrid[:28, :28], axis=-1) - 13.5
    return (mass[..., None] * places).sum(axis=(1, 2)) / mass.sum(axis=(1, 2))[:, None]


def spreads(images: tf.Tensor, axis: int) -> np.ndarray:
    """Return the standard deviation of the mass of each image along an axis, in pixels."""
    mass = np.asarray(images).sum(axis=3 - axis)
    return np.sqrt((mass * (np.arange(28) - 13.5) ** 2).sum(axis=1) / mass.sum(axis=1))


def test_the_identity_augmentation_changes_nothing() -> None:
    np.testing.assert_allclose(augment_affine(BAR, IDENTITY, seed=[1, 2]), BAR, atol=1e-5)


def test_shifts_are_within_the_limit_and_differ_between_images() -> None:
    moved = centres(augment_affine(SPOT, replace(IDENTITY, shift=2.0), seed=[1, 2]))
    assert np.abs(moved).max() <= 2.01
    assert (moved.min(axis=0) < -1.7).all()
    assert (moved.max(axis=0) > 1.7).all()
    assert len(np.unique(moved.round(4), axis=0)) > 190


def test_the_centre_is_fixed_without_a_shift() -> None:
    turned = centres(augment_affine(SPOT, AffineAugmentation(rotation=30, scale=0.2, shear=0.3, shift=0), seed=[1, 2]))
    np.testing.assert_allclose(turned, np.zeros_like(turned), atol=0.02)


def test_a_rotation_is_within_its_limit() -> None:
    turned = np.asarray(augment_affine(BAR, replace(IDENTITY, rotation=20.0), seed=[1, 2]))
    columns, rows = np.meshgrid(np.arange(28) - 13.5, np.arange(28) - 13.5)
    slopes = (turned * rows * columns).sum(axis=(1, 2)) / (turned * rows**2).sum(axis=(1, 2))
    degrees = np.degrees(np.arctan(slopes))
    assert 17 < np.abs(degrees).max() < 21


def test_a_scale_is_within_its_limit() -> None:
    lengths = spreads(augment_affine(BAR, replace(IDENTITY, scale=0.2), seed=[1, 2]), axis=1) / spreads(BAR, axis=1)
    assert 1.15 < lengths.max() < np.exp(0.2) * 1.02
    assert np.exp(-0.2) * 0.98 < lengths.min() < 0.87


def test_the_seed_determines_the_augmentation() -> None:
    everything = AffineAugmentation(rotation=10, scale=0.1, shear=0.1, shift=1.5)
    first, again, other = (augment_affine(BAR, everything, seed=[1, seed]).numpy() for seed in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
