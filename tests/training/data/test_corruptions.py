import numpy as np
import pytest

from training.data.corruptions import CORRUPTIONS, Ink, corrupt, corrupt_round_robin, smooth, warp

BLANK = np.zeros((40, 28, 28), np.uint8)


def bars() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Draw forty vertical bars with a foot to the right: images without any symmetry."""
    images = BLANK.copy()
    images[:, 6:22, 12:15] = 255
    images[:, 19:22, 12:20] = 255
    return images


def ink(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Ink:
    return images.astype(np.float32) / 255


def centres(images: Ink) -> Ink:
    """Return the centre of mass of each image, (n, 2): row and column."""
    places = np.stack(np.mgrid[:28, :28], axis=-1)
    return (images[..., None] * places).sum(axis=(1, 2)) / images.sum(axis=(1, 2))[:, None]


def test_there_are_fifteen_corruptions() -> None:
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_corruption_changes_every_image_and_is_reproducible(name: str) -> None:
    images = bars()
    corrupted, again = corrupt(images, name, seed=1), corrupt(images, name, seed=1)
    assert (corrupted.shape, corrupted.dtype) == (images.shape, images.dtype)
    assert (corrupted != images).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(corrupted, again)
    np.testing.assert_array_equal(images, bars())  # the input is unchanged


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"scale", "brightness", "stripe", "canny_edges"}))
def test_another_seed_gives_another_corruption(name: str) -> None:
    assert (corrupt(bars(), name, seed=1) != corrupt(bars(), name, seed=2)).any()


def test_round_robin_applies_one_corruption_to_each_image() -> None:
    images = bars()
    copy = corrupt_round_robin(images, seed=3)
    for place, name in enumerate(CORRUPTIONS):
        np.testing.assert_array_equal(copy[place::15], corrupt(images[place::15], name, seed=3))


def test_shot_noise_changes_only_ink_in_steps_of_a_third() -> None:
    corrupted = corrupt(bars(), "shot_noise")
    assert not corrupted[bars() == 0].any()
    assert {0, 85, 170, 255} == set(np.unique(corrupted))


def test_impulse_noise_makes_a_sixth_of_the_pixels_black_or_white() -> None:
    grey = np.full((100, 28, 28), 128, np.uint8)
    corrupted = corrupt(grey, "impulse_noise")
    assert (corrupted == 0).mean() == pytest.approx(0.085, abs=0.005)
    assert (corrupted == 255).mean() == pytest.approx(0.085, abs=0.005)


def test_blurs_keep_the_amount_of_ink_and_spread_it() -> None:
    for name in ("glass_blur", "motion_blur"):
        corrupted = ink(corrupt(bars(), name))
        assert corrupted.sum() == pytest.approx(ink(bars()).sum(), rel=0.05)
        assert corrupted.max() < 1


def test_motion_blur_smears_to_the_right() -> None:
    moved = centres(ink(corrupt(bars(), "motion_blur"))) - centres(ink(bars()))
    assert (moved[:, 1] > 1).all()
    assert (np.abs(moved[:, 0]) < np.abs(moved[:, 1]) * 1.05).all()


def test_scale_keeps_the_centre_and_half_of_the_ink() -> None:
    images = BLANK.copy()
    images[:, 9:19, 4:24] = 255
    corrupted = ink(corrupt(images, "scale"))
    assert corrupted.sum() == pytest.approx(0.49 * ink(images).sum(), rel=0.01)
    np.testing.assert_allclose(centres(corrupted), 13.5, atol=0.01)


def test_translate_shifts_by_three_pixels_in_both_directions() -> None:
    moved = centres(ink(corrupt(bars(), "translate"))) - centres(ink(bars()))
    assert {tuple(step) for step in moved.round().astype(int).tolist()} == {(-3, -3), (-3, 3), (3, -3), (3, 3)}


@pytest.mark.parametrize(("name", "degrees"), [("rotate", 22.9), ("shear", 21.3)])
def test_rotation_and_shear_slant_a_bar_to_both_sides(name: str, degrees: float) -> None:
    images = BLANK.copy()
    images[:, 4:24, 13:15] = 255
    corrupted = ink(corrupt(images, name))
    columns, rows = np.meshgrid(np.arange(28) - 13.5, np.arange(28) - 13.5)
    slopes = (corrupted * rows * columns).sum(axis=(1, 2)) / (corrupted * rows**2).sum(axis=(1, 2))
    assert set(np.sign(slopes)) == {-1, 1}
    np.testing.assert_allclose(np.degrees(np.arctan(np.abs(slopes))), degrees, atol=0.5)


def test_a_stripe_leaves_the_middle_half_unchanged() -> None:
    corrupted = corrupt(BLANK, "stripe")
    assert not corrupted[:, :, 7:21].any()
    assert (corrupted[:, :, :7] == 255).all()
    assert (corrupted[:, :, 21:] == 255).all()


def test_fog_reduces_the_contrast_to_a_quarter() -> None:
    difference = ink(corrupt(bars(), "fog")) - ink(corrupt(BLANK, "fog"))
    np.testing.assert_allclose(difference[ink(bars()) == 1], 0.25, atol=0.01)
    fogs = corrupt(BLANK, "fog")
    assert (fogs.min(axis=(1, 2)) == 0).all()
    assert (fogs.max(axis=(1, 2)) == 191).all()


def test_spatter_covers_parts_of_the_image_in_dark_grey() -> None:
    covered = corrupt(BLANK, "spatter")
    assert covered.max() == 63
    assert 0.05 < (covered > 30).mean() < 0.4


@pytest.mark.parametrize(("name", "columns"), [("dotted_line", 14), ("zigzag", 23)])
def test_lines_only_add_ink_from_left_to_right(name: str, columns: int) -> None:
    assert (corrupt(bars(), name) >= bars()).all()
    corrupted = corrupt(BLANK, name) > 0
    whole = corrupted.any(axis=1).sum(axis=1) == columns  # some lines leave the image
    assert whole.mean() > 0.5
    assert (corrupted.sum(axis=1).max(axis=1) <= 3).all()


def test_canny_edges_are_a_thin_closed_outline() -> None:
    images = BLANK.copy()
    images[:, 8:20, 8:20] = 255
    corrupted = corrupt(images, "canny_edges")
    assert set(np.unique(corrupted)) == {0, 255}
    assert not corrupted[:, 10:18, 10:18].any()
    assert not corrupted[:, :6].any()
    assert 36 <= (corrupted[0] > 0).sum() <= 60


def test_smooth_keeps_a_constant_image_and_the_amount_of_ink() -> None:
    np.testing.assert_allclose(smooth(np.ones((1, 28, 28), np.float32), 3), 1, atol=1e-5)
    spot = np.zeros((1, 28, 28), np.float32)
    spot[0, 14, 14] = 1
    spread = smooth(spot, 1.5)
    rows = np.arange(28) - 14
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert (spread[0].sum(axis=1) * rows**2).sum() == pytest.approx(1.5**2, rel=0.01)


def test_the_identity_map_changes_nothing() -> None:
    images = np.random.default_rng(0).random((3, 28, 28), np.float32)
    np.testing.assert_allclose(warp(images), images, atol=1e-6)
