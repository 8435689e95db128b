import numpy as np
import pytest

from training.data.pages import Pages
from training.finder.report import (
    Maps,
    choose_thresholds,
    find_digits,
    ink_f1,
    ink_f1_of_each_page,
    page_report,
)

Square = tuple[int, int, int]
"""The page, the top and the left of a square of 6 x 6 cells."""


def draw_maps(*squares: Square, pages: int = 2, value: float = 1.0) -> Maps:
    maps = np.zeros((pages, 96, 96), np.float32)
    for page, top, left in squares:
        maps[page, top : top + 6, left : left + 6] = value
    return maps


def truth(*squares: Square) -> Pages:
    maps = (255 * draw_maps(*squares)).astype(np.uint8)
    return Pages(np.zeros((2, 192, 192, 3), np.uint8), ink=maps, cores=maps, digits=np.zeros(2, np.int32))


DIGITS = truth((0, 10, 10), (0, 10, 40), (1, 60, 60))


def test_every_find_in_a_core_finds_its_digit() -> None:
    finds = find_digits(draw_maps((0, 11, 11), (1, 60, 60)), DIGITS.cores, 0.5)
    assert finds.found.tolist() == [True, False, True]
    assert finds.false.tolist() == [0, 0]
    assert (finds.recall, finds.precision) == (pytest.approx(2 / 3), 1.0)
    assert finds.f1 == pytest.approx(0.8)


def test_a_find_whose_centre_lies_outside_of_every_core_is_false() -> None:
    finds = find_digits(draw_maps((0, 10, 16), (1, 0, 0), (1, 60, 60)), DIGITS.cores, 0.5)
    assert finds.found.tolist() == [False, False, True]
    assert finds.false.tolist() == [1, 1]
    assert finds.precision == pytest.approx(1 / 3)


def test_a_second_find_in_one_core_is_false() -> None:
    cores = np.zeros((2, 96, 96), np.float32)
    cores[0, 10, 10] = cores[0, 10, 13] = 1
    finds = find_digits(cores, DIGITS.cores, 0.5)
    assert finds.found.tolist() == [True, False, False]
    assert finds.false.tolist() == [1, 0]


def test_one_find_over_two_digits_finds_at_most_one() -> None:
    cores = np.zeros((2, 96, 96), np.float32)
    cores[0, 10:16, 10:46] = 1  # its centre lies between the digits
    finds = find_digits(cores, DIGITS.cores, 0.5)
    assert not finds.found.any()
    assert finds.false.tolist() == [1, 0]


def test_pages_without_digits_and_finds_are_perfect() -> None:
    empty = truth()
    finds = find_digits(draw_maps(), empty.cores, 0.5)
    assert (finds.recall, finds.precision, finds.f1) == (1.0, 1.0, 1.0)
    assert ink_f1(draw_maps(), empty.ink, 0.5) == 1.0
    assert find_digits(draw_maps((0, 1, 1)), empty.cores, 0.5).precision == 0.0


def test_the_f1_score_of_the_ink_counts_cells() -> None:
    ink = draw_maps((0, 10, 10), (0, 10, 43), (1, 60, 60))  # half of the second digit, and as much beside it
    assert ink_f1(ink, DIGITS.ink, 0.5) == pytest.approx(2 * 90 / (108 + 108))
    np.testing.assert_allclose(ink_f1_of_each_page(ink, DIGITS.ink, 0.5), [2 * 54 / (72 + 72), 1.0])


def test_a_cell_is_ink_from_one_half() -> None:
    true_ink = np.array([[[127, 128]]], np.uint8)
    probabilities = np.array([[[0.2, 0.7]]], np.float32)
    assert ink_f1(probabilities, true_ink, 0.7) == 1.0
    assert ink_f1(probabilities, true_ink, 0.1) == pytest.approx(2 / 3)


def test_the_thresholds_separate_the_digits_from_the_rest() -> None:
    cores = np.maximum(draw_maps((0, 10, 10), (0, 10, 40), (1, 60, 60), value=0.62), draw_maps((1, 0, 0), value=0.31))
    ink = np.maximum(draw_maps((0, 10, 10), (0, 10, 40), (1, 60, 60), value=0.9), draw_maps((1, 0, 0), value=0.71))
    assert choose_thresholds(ink, cores, DIGITS) == {"ink": 0.75, "core": 0.35}  # the lowest of equally good ones


def test_the_report_has_the_fields_of_the_model_card() -> None:
    maps = draw_maps((0, 10, 10), (1, 60, 60), (1, 0, 0))
    assert page_report(maps, maps, DIGITS, {"ink": 0.5, "core": 0.5}) == {
        "pages": 2,
        "ink_f1": pytest.approx(2 / 3),
        "digits": 3,
        "found": 2,
        "false": 1,
        "recall": pytest.approx(2 / 3),
        "precision": pytest.approx(2 / 3),
    }
