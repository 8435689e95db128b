import cv2
import numpy as np
import pytest
import tensorflow as tf

from training.data.strong_augmentation import (
    add_gaussian_noise,
    add_strokes,
    augment_strongly,
    change_lighting,
    change_thickness,
    gaussian_blur,
    invert_band,
    keep_outline,
    pixelate,
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
        tf.constant(SQUARE), StrongAugmentation(share=1, affine=IDENTITY, probability=0), tf.constant(SEED)
    )
    np.testing.assert_allclose(found, SQUARE, atol=1e-5)


def test_each_transformation_is_applied_with_the_probability() -> None:
    found = np.asarray(
        augment_strongly(
            tf.constant(SQUARE), StrongAugmentation(share=1, affine=IDENTITY, probability=0.15), tf.constant(SEED)
        )
    )
    unchanged = (np.abs(found - SQUARE) < 1e-4).all(axis=(1, 2)).mean()
    assert unchanged == pytest.approx(0.85**9, abs=0.08)
    assert 0 <= found.min() < found.max() <= 1


def test_the_seed_determines_the_augmentation() -> None:
    everything = StrongAugmentation(
        share=1, affine=AffineAugmentation(rotation=10, scale=0.1, shear=0.1, shift=1), probability=0.5
    )
    first, again, other = (
        np.asarray(augment_strongly(tf.constant(SQUARE), everything, tf.constant([1, seed]))) for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_strokes_become_thicker_or_thinner_at_their_edges() -> None:
    found = apply(change_thickness)
    np.testing.assert_array_equal(found[:, 9:19, 9:19], 1)
    ink = found.sum(axis=(1, 2))
    assert 110 < ink.min() < 144 < ink.max() < 197
    assert 0.3 < (ink < 144).mean() < 0.5


def test_the_outline_is_inside_or_outside_the_edge() -> None:
    counts = apply(keep_outline).sum(axis=(1, 2))
    assert set(counts.tolist()) == {44.0, 52.0}  # the inner and the outer outline of a 12x12 square


def test_add_strokes_only_adds_thin_strokes() -> None:
    found = apply(add_strokes)
    assert (found >= SQUARE).all()
    added = (found - SQUARE).sum(axis=(1, 2))
    assert 20 < added.mean() < 150


def test_some_strokes_are_straight_and_others_are_not() -> None:
    """A stroke fills a share of the smallest rectangle around it: most of it if the stroke is straight."""
    bends = []
    for ink in apply(add_strokes, np.zeros((2000, 28, 28), np.float32)) > 0.5:
        rows, columns = np.nonzero(ink)
        if len(rows) > 20 and cv2.connectedComponents(ink.astype(np.uint8))[0] == 2:
            (_, (width, height), _) = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.int32))
            bends.append(min(width, height))
    assert min(bends) < 1.5
    assert np.mean(np.array(bends) > 3) > 0.2


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


def test_gaussian_noise_is_in_all_pixels() -> None:
    noise = apply(add_gaussian_noise) - SQUARE
    deviations = noise.std(axis=(1, 2))
    assert deviations.min() < 0.05
    assert 0.4 < deviations.max() < 0.55
    assert (noise[:, 14, 14] != 0).all()
    assert (noise[:, 0, 0] != 0).all()


def test_up_to_a_quarter_of_the_pixels_is_replaced() -> None:
    shares = (apply(replace_pixels) != SQUARE).mean(axis=(1, 2))
    assert shares.min() < 0.05
    assert 0.2 < shares.max() < 0.3


def test_pixelate_keeps_the_amount_of_ink_and_few_levels_if_it_enlarges_in_squares() -> None:
    found = apply(pixelate)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 144, rtol=0.25)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-5
    rows = [len(np.unique(image[14].round(4))) for image in found]
    assert min(rows) <= 3  # background, ink and an edge: squares
    assert max(rows) >= 6  # a smooth edge
