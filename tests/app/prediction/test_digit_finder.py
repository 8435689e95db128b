"""Digits on drawn pages, with a finder for which dark pixels are ink, and each dark blob has a core."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.inference.finder_engine import FinderMaps, Pictures
from app.prediction.digit_finder import FoundDigit, divide_otherwise, find_digits
from imaging import Box, normalise
from tests.app.dark_blobs import CELL, draw_page
from tests.app.tiny_finder import CountingFinder, draw_shapes


def boxes(digits: Sequence[FoundDigit]) -> list[Box]:
    return sorted(digit.box for digit in digits)


def test_each_digit_is_found_with_its_image_and_its_box() -> None:
    page = np.asarray(draw_page(["70", " 1"]))
    digits = sorted(find_digits(page, CountingFinder()).digits, key=lambda digit: digit.box[0])
    assert len({digit.cluster for digit in digits}) == len(digits) == 3
    for digit, (column, row) in zip(digits, [(0, 0), (1, 0), (1, 1)], strict=True):
        left, top, width, height = digit.box
        assert 0 <= left - CELL * column < left + width - CELL * column <= CELL
        assert (top - CELL * row, height) == pytest.approx((8, 44), abs=4)
        assert 0.5 < digit.confidence <= 1
        assert digit.cost == 0
        cell = page[CELL * row : CELL * (row + 1), CELL * column : CELL * (column + 1)]
        expected = normalise(cell).image.astype(float)
        assert np.abs(digit.image - expected).sum() < 0.35 * expected.sum()


def test_two_touching_digits_are_offered_as_two_and_otherwise_as_one() -> None:
    page = draw_shapes(("line", (70, 60, 70, 140)), ("line", (76, 100, 110, 100)), ("line", (116, 60, 116, 140)))
    finds = find_digits(page, CountingFinder(np.s_[40:60, 33:38], np.s_[40:60, 56:61]))
    first, second = boxes(finds.digits)
    assert len(finds.clusters) == 1
    assert first[0] + first[2] == pytest.approx(93, abs=6)
    assert second[0] == pytest.approx(first[0] + first[2], abs=3)
    (merged,) = divide_otherwise(page, finds, [0], thorough=False)
    assert merged.box == pytest.approx((64, 60, 59, 81), abs=5)
    assert merged.division == 1
    assert merged.cost > 0


def test_a_thorough_search_offers_a_wide_digit_in_parts() -> None:
    page = draw_shapes(("line", (30, 60, 30, 140)), ("line", (30, 100, 160, 100)), ("line", (160, 60, 160, 140)))
    finds = find_digits(page, CountingFinder(np.s_[40:60, 15:80]))
    quick = divide_otherwise(page, finds, [0], thorough=False)
    assert all((part.start, part.end) == (0, 1) for part in quick)
    parts = divide_otherwise(page, finds, [0])
    upright = [part for part in parts if part.division == 1]
    last = max(part.end for part in upright)
    assert len(upright) > 3
    assert any(part.start == 0 and part.end < last for part in upright)
    assert all(part.box[2] < 110 for part in upright)
    assert divide_otherwise(page, finds, []) == []


@pytest.mark.parametrize("size", [(192, 192), (1, 1), (3, 900), (700, 500)])
def test_an_empty_picture_has_no_digits(size: tuple[int, int]) -> None:
    assert find_digits(np.full((*size, 3), 255, np.uint8), CountingFinder()).digits == []


def find_noise(pictures: Pictures) -> FinderMaps:
    """Stand for a finder that takes blobs of noise for digits."""
    rng = np.random.default_rng(int(pictures.sum()))
    cells = rng.random((2, len(pictures), 16, 16), np.float32)
    return FinderMaps(*np.kron(cells, np.ones((6, 6), np.float32)))


@pytest.mark.parametrize("thorough", [True, False])
def test_pictures_of_all_shapes_give_boxes_in_the_picture_and_a_bounded_number_of_images(*, thorough: bool) -> None:
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (1, 700), (700, 1), (3, 5), (2, 900), (640, 480), (191, 193), (1000, 30)]:
        pixels = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        finds = find_digits(pixels, find_noise, thorough=thorough)
        clusters = range(min(len(finds.clusters), 5))
        digits = [*finds.digits, *divide_otherwise(pixels, finds, clusters, thorough=thorough)]
        assert all(digit.image.shape == (28, 28) for digit in digits)
        cell = max(shape) / 96  # by which a box may be off in the coarsest maps
        for left, top, *_ in (digit.box for digit in digits):
            assert -cell <= left <= shape[1] + cell
            assert -cell <= top <= shape[0] + cell
        assert len(finds.clusters) <= (800 if thorough else 12)
