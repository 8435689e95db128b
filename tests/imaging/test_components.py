"""Which connected components of the ink are the digit."""

import numpy as np
from numpy.typing import NDArray

from imaging.components import find_components, select_digit


def page(*boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Draw filled (left, top, right, bottom) boxes on a page of 100x100."""
    ink = np.zeros((100, 100), np.uint8)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


def selected_ink(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    components = find_components(ink)
    return components.mask(select_digit(components))


MAIN = (40, 30, 50, 70)


def test_nothing_is_selected_from_a_blank_picture() -> None:
    assert select_digit(find_components(page())).size == 0


def test_specks_are_dropped() -> None:
    np.testing.assert_array_equal(selected_ink(page(MAIN, (56, 40, 58, 42))), page(MAIN))


def test_a_near_component_is_kept_and_a_far_one_is_not() -> None:
    near, far = (54, 30, 74, 36), (20, 90, 36, 96)

    np.testing.assert_array_equal(selected_ink(page(MAIN, near, far)), page(MAIN, near))


def test_a_component_near_another_selected_one_is_kept() -> None:
    first, second = (56, 30, 66, 36), (74, 30, 84, 36)

    np.testing.assert_array_equal(selected_ink(page(MAIN, first, second)), page(MAIN, first, second))


def test_a_shadow_along_the_border_is_dropped_however_large() -> None:
    np.testing.assert_array_equal(selected_ink(page(MAIN, (0, 0, 12, 100))), page(MAIN))


def test_a_digit_that_the_border_cuts_is_kept() -> None:
    cut = (40, 30, 50, 100)

    np.testing.assert_array_equal(selected_ink(page(cut, (70, 20, 74, 24))), page(cut))


def test_a_single_component_has_the_same_statistics_as_among_others() -> None:
    alone, among = find_components(page(MAIN)), find_components(page(MAIN, (90, 90, 95, 95)))

    np.testing.assert_array_equal(alone.boxes, among.boxes[:2])
    assert alone.areas[1] == among.areas[1] == 10 * 40
