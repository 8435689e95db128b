import numpy as np
import pytest

from training.data.synthetic_glyphs import DIGITS, SYMBOLS, catmull_rom, parse_glyph

EVERY_GLYPH = [*SYMBOLS, *(glyph for hands in DIGITS.values() for glyph in hands)]


def test_straight_lines_join_points() -> None:
    (stroke,) = parse_glyph("09 00 90")
    np.testing.assert_allclose(stroke, [[0, 1], [0, 0], [1, 0]])


def test_a_slash_separates_strokes() -> None:
    assert [stroke.tolist() for stroke in parse_glyph("00 90 / 09 99")] == [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]


def test_a_curve_is_smooth_and_joins_the_following_line() -> None:
    (stroke,) = parse_glyph("(09 00 90) 99")
    assert len(stroke) > 6
    np.testing.assert_allclose(stroke[[0, -2, -1]], [[0, 1], [1, 0], [1, 1]])
    assert stroke.min() < -0.01


def test_a_curve_goes_through_its_points() -> None:
    points = np.array([[0.0, 0.0], [0.5, 1.0], [1.0, 0.0], [0.2, 0.3]])
    curve = catmull_rom(points)
    assert all((np.abs(curve - point).sum(axis=1) < 1e-12).any() for point in points)


@pytest.mark.parametrize("glyph", EVERY_GLYPH)
def test_every_glyph_lies_on_its_page(glyph: str) -> None:
    points = np.concatenate(parse_glyph(glyph))
    assert points.shape[1:] == (2,)
    assert all(len(stroke) >= 2 for stroke in parse_glyph(glyph))
    assert points.min() > -0.15
    assert points.max() < 1.15


def test_every_digit_has_several_forms_and_all_glyphs_differ() -> None:
    assert sorted(DIGITS) == list(range(10))
    assert min(len(hands) for hands in DIGITS.values()) >= 5
    assert len(set(EVERY_GLYPH)) == len(EVERY_GLYPH)
