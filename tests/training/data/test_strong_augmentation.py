import numpy as np
import pytest
import tensorflow as tf

from training.data.strong_augmentation import (
    add_gaussian_noise,
    add_strokes,
    augment_strongly,
    change_lighting,
    gaussian_blur,
    invert_band,
    keep_outline,
    replace_pixels,
)
from training.recipes import AffineAugmentation, StrongAugmentation

pytestmark = pytest.mark.slow

SQUARE = np.zeros((300, 28, 28), np.float32)
SQUARE[:, 8:20, 8:20] = 1
IDENTITY = AffineAugmentation(rotation=0, scale=0, shear=0, shift=0)
SEED = [3, 4]


def apply(transform: object, images: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = SQUARE) -> np.ndarray:
    return np.asarray(transform(tf.constant(images), tf.constant(SEED)))


def test_the_identity_augmentation_changes_nothing() -> None:
    found = augment_strongly(
        tf.constant(SQUARE), StrongAugmentation(IDENTITY, probability=0, loss_weight=0), tf.constant(SEED)
    )
    np.testing.assert_allclose(found, SQUARE, atol=1e-5)


def test_each_transformation_is_applied_with_the_probability() -> None:
    found = np.asarray(
        augment_strongly(
            tf.constant(SQUARE), StrongAugmentation(IDENTITY, probability=0.15, loss_weight=0.15), tf.constant(SEED)
        )
    )
    unchanged = (np.abs(found - SQUARE) < 1e-4).all(axis=(1, 2)).mean()
    assert unchanged == pytest.approx(0.85**7, abs=0.08)
    assert 0 <= found.min() < found.max() <= 1


def test_the_seed_determines_the_augmentation() -> None:
    everything = StrongAugmentation(
        AffineAugmentation(rotation=10, scale=0.1, shear=0.1, shift=1), probability=0.5, loss_weight=0.5
    )
    first, again, other = (
        np.asarray(augment_strongly(tf.constant(SQUARE), everything, tf.constant([1, seed]))) for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_outline_is_inside_or_outside_the_edge() -> None:
    counts = apply(keep_outline).sum(axis=(1, 2))
    assert set(counts.tolist()) == {44.0, 52.0}  # the inner and the outer outline of a 12x12 square


def test_add_strokes_only_adds_thin_strokes() -> None:
    found = apply(add_strokes)
    assert (found >= SQUARE).all()
    added = (found - SQUARE).sum(axis=(1, 2))
    assert 20 < added.mean() < 120


def test_gaussian_blur_keeps_the_amount_of_ink() -> None:
    found = apply(gaussian_blur)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 144, rtol=0.03)
    assert (found.max(axis=(1, 2)) <= 1 + 1e-5).all()
    assert found[:, 14, 7].max() > 0.2


def test_invert_band_inverts_some_of_the_pixels() -> None:
    found = apply(invert_band)
    assert ((found == SQUARE) | (found == 1 - SQUARE)).all()
    shares = (found != SQUARE).mean(axis=(1, 2))
    assert shares.min() < 0.2
    assert shares.max() > 0.8


def test_change_lighting_keeps_at_least_a_fifth_of_the_contrast() -> None:
    light = apply(change_lighting, np.zeros_like(SQUARE))
    contrast = (apply(change_lighting) - light)[:, 8:20, 8:20]
    assert contrast.min() >= 0.2 - 1e-5
    assert contrast.max() <= 1 + 1e-5
    assert light.min() >= 0
    assert np.ptp(light, axis=(1, 2)).max() > 0.3


def test_gaussian_noise_is_in_all_pixels_or_in_the_ink() -> None:
    changed = apply(add_gaussian_noise) != SQUARE
    in_the_ink = (~changed[:, :8]).all(axis=(1, 2))
    assert 0.4 < in_the_ink.mean() < 0.6


def test_up_to_a_quarter_of_the_pixels_is_replaced() -> None:
    shares = (apply(replace_pixels) != SQUARE).mean(axis=(1, 2))
    assert shares.min() < 0.05
    assert 0.2 < shares.max() < 0.3
