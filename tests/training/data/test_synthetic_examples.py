import numpy as np

from imaging import normalise
from training.data.examples import NOT_A_DIGIT
from training.data.synthetic_examples import (
    GLYPH_SIDE,
    PAGE_SIDE,
    draw_digit_pair,
    draw_glyph,
    draw_gradient,
    generate_digits,
    generate_non_digits,
    render,
)
from training.data.synthetic_glyphs import parse_glyph


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_stroke_has_its_pen_width_and_round_ends() -> None:
    page = render([np.array([[20.0, 10.0], [20.0, 40.0]])], pen_width=6.0)
    assert page.shape == (PAGE_SIDE, PAGE_SIDE)
    assert page[25].sum() / 255 == 6
    area = 30 * 6 + np.pi * 3**2
    assert abs(page.sum() / 255 - area) < 4
    assert page[5].sum() == 0


def test_a_single_point_is_rendered_as_a_disc() -> None:
    page = render([np.array([[28.0, 28.0], [28.0, 28.0]])], pen_width=10.0)
    assert abs(page.sum() / 255 - np.pi * 5**2) < 4


def test_drawings_of_a_glyph_differ_and_stay_within_the_page() -> None:
    hand = rng()
    pages = [draw_glyph(parse_glyph("51 59"), hand) for _ in range(50)]
    assert len({page.tobytes() for page in pages}) == 50
    border = np.stack([np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]]) for page in pages])
    assert not border.any()
    heights = [np.ptp(np.flatnonzero(page.any(axis=1))) for page in pages]
    assert min(heights) > GLYPH_SIDE / 2


def test_generated_digits_are_balanced_and_in_the_format_of_mnist() -> None:
    examples = generate_digits(50, rng())
    assert examples.images.shape == (50, 28, 28)
    assert examples.images.dtype == np.uint8
    assert examples.labels.dtype == np.int32
    np.testing.assert_array_equal(np.bincount(examples.labels), [5] * 10)
    assert (examples.images.max(axis=(1, 2)) == 255).all()
    rows = examples.images.any(axis=2).sum(axis=1)
    columns = examples.images.any(axis=1).sum(axis=1)
    assert set(np.maximum(rows, columns)) <= {19, 20}


def test_a_digit_pair_is_preprocessed_as_one_image() -> None:
    hand = rng()
    preprocessed = [normalise(draw_digit_pair(hand)) for _ in range(40)]
    wide = [np.ptp(np.flatnonzero(reading.image.any(axis=0))) for reading in preprocessed]
    assert np.mean(np.array(wide) >= 12) > 0.8


def test_generated_non_digits_have_their_label() -> None:
    examples = generate_non_digits(40, rng())
    assert examples.images.shape == (40, 28, 28)
    assert set(examples.labels) == {NOT_A_DIGIT}
    assert examples.images.any(axis=(1, 2)).mean() > 0.9
    np.testing.assert_allclose(examples.targets, 0.1)


def test_a_gradient_has_no_edges() -> None:
    hand = rng()
    for page in (draw_gradient(hand) for _ in range(20)):
        ink = page.astype(int)
        assert np.ptp(ink) > 45
        assert max(np.abs(np.diff(ink, axis=axis)).max() for axis in (0, 1)) < 12


def test_the_same_seed_generates_the_same_examples() -> None:
    for generate in (generate_digits, generate_non_digits):
        first, again, other = (generate(20, rng(seed)).images for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_no_examples_can_be_generated() -> None:
    assert generate_digits(0, rng()).images.shape == generate_non_digits(0, rng()).images.shape == (0, 28, 28)
