import cv2
import numpy as np
import numpy.typing as npt
import pytest

from training.data.pages.pens import (
    Pen,
    crop,
    draw_field,
    draw_strokes,
    opacity,
    random_pen,
    smooth_noise,
    thin,
    trace_centreline,
    trace_outline,
)
from training.data.synthetic_glyphs import DIGITS, parse_glyph

PLAIN = Pen(width=None, growth=0.0, grain=0.0, pressure=0.0, is_jagged=False)
ELL = np.zeros((28, 28), np.uint8)
ELL[4:24, 8:12] = ELL[20:24, 8:20] = 255


def draw(pen: Pen, height: float = 60, seed: int = 0, angle: float = 0.0) -> npt.NDArray[np.float32]:
    trace = trace_outline if pen.width is None else trace_centreline
    return draw_field(trace(ELL), height, pen, np.random.default_rng(seed), angle=angle)


@pytest.mark.parametrize("height", [12, 60, 150])
def test_a_digit_is_as_high_as_asked_and_cropped(height: int) -> None:
    for seed in range(3):
        coverage = draw(PLAIN, height, seed)
        assert coverage.shape[0] == pytest.approx(height, rel=0.15, abs=2)
        assert coverage.dtype == np.float32
        assert 0 <= coverage.min() <= coverage.max() <= 1
        inked = coverage > 0.2
        assert inked[[0, -1]].any(axis=1).all()
        assert inked[:, [0, -1]].any(axis=0).all()


def test_the_drawing_is_determined_by_the_random_numbers() -> None:
    np.testing.assert_array_equal(draw(PLAIN), draw(PLAIN))
    assert draw(PLAIN, seed=1).shape != draw(PLAIN).shape


def test_the_width_of_the_strokes_is_that_of_the_pen() -> None:
    areas = [draw(PLAIN._replace(width=width), 100).sum() for width in (0.05, 0.1, 0.2)]
    assert 1.5 * areas[0] < areas[1] < areas[2] / 1.5
    thin_ink, plain_ink, bold_ink = (draw(PLAIN._replace(growth=growth)).sum() for growth in (-0.02, 0, 0.03))
    assert thin_ink < plain_ink < bold_ink


@pytest.mark.parametrize("is_jagged", [False, True])
@pytest.mark.parametrize("height", [20, 60, 190])
def test_the_thinnest_pen_draws_unbroken_lines_at_any_height(height: int, is_jagged: bool) -> None:  # noqa: FBT001
    for seed in range(3):
        coverage = draw(PLAIN._replace(width=0.012, is_jagged=is_jagged), height, seed)
        assert coverage.shape[0] > 0.65 * height  # the centreline is shorter than the bold letter
        _, labels = cv2.connectedComponents((coverage > 0.25).astype(np.uint8), connectivity=8)
        assert np.bincount(labels.ravel())[1:].max() > 0.9 * np.count_nonzero(labels)


def test_a_jagged_pen_has_hard_edges_and_others_do_not() -> None:
    assert set(np.unique(draw(PLAIN._replace(is_jagged=True)))) == {0, 1}
    assert len(np.unique(draw(PLAIN))) > 10


def test_grain_and_pressure_take_ink_away() -> None:
    ink = draw(PLAIN).sum()
    assert draw(PLAIN._replace(grain=0.6)).sum() < 0.95 * ink
    assert draw(PLAIN._replace(pressure=0.6)).sum() < 0.95 * ink


def test_a_turned_digit_is_turned() -> None:
    upright, turned = draw(PLAIN), draw(PLAIN, angle=np.pi / 2)
    assert upright.shape[0] > upright.shape[1]
    assert turned.shape[0] < turned.shape[1]


def test_a_hairline_is_faint_instead_of_thinner_than_a_pixel() -> None:
    hairline = PLAIN._replace(width=0.01)
    assert opacity(hairline, 60) == pytest.approx(0.6 / 0.9)
    assert opacity(hairline, 200) == 1
    assert opacity(PLAIN, 10) == 1


def test_a_thinned_block_is_a_connected_line_of_one_pixel() -> None:
    ink = np.pad((ELL > 0).astype(np.uint8), 2)
    line = thin(ink)
    assert cv2.connectedComponents(line)[0] == 2
    assert not (line & ~ink).any()
    assert 20 < line.sum() < 34
    assert (line[:-1, :-1] & line[1:, :-1] & line[:-1, 1:] & line[1:, 1:]).sum() == 0


def test_strokes_are_drawn_as_high_as_asked_and_as_wide_as_the_pen() -> None:
    (stroke, *others) = parse_glyph(DIGITS[1][0])
    for width in (2, 8):
        coverage = draw_strokes([stroke, *others], 80, width, np.random.default_rng(1))
        assert coverage.shape[0] == pytest.approx(80, rel=0.3)
        assert coverage.max() == 1
        assert (coverage > 0.5).sum() > 50 * width


def test_cropping_leaves_at_least_a_pixel() -> None:
    coverage = np.zeros((9, 9), np.float32)
    assert crop(coverage).size == 1
    coverage[2:5, 3:7] = 1
    assert crop(coverage).shape == (3, 4)


def test_smooth_noise_has_the_shape_and_the_range_and_few_changes() -> None:
    noise = smooth_noise((50, 80), 2, np.random.default_rng(0))
    assert noise.shape == (50, 80)
    assert 0 <= noise.min() < 0.5 < noise.max() <= 1
    assert np.abs(np.diff(noise, axis=1)).max() < 0.1


def test_random_pens_are_of_all_kinds() -> None:
    rng = np.random.default_rng(0)
    pens = [random_pen(rng) for _ in range(100)]
    assert {pen.width is None for pen in pens} == {pen.is_jagged for pen in pens} == {True, False}
    assert {pen.grain > 0 for pen in pens} == {pen.pressure > 0 for pen in pens} == {True, False}
