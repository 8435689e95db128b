"""Ruled and squared paper: the lines are removed and the strokes are kept."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.ruled_lines import remove_ruled_lines

Ink = NDArray[np.uint8]


def two() -> Ink:
    corners = np.array([(60, 70), (130, 60), (140, 90), (60, 160), (150, 160)])
    return cv2.polylines(np.zeros((220, 200), np.uint8), [corners], isClosed=False, color=1, thickness=10)


def rule(ink: Ink, slope: float = 0, squared: bool = False) -> Ink:  # noqa: FBT001, FBT002 - a drawing's option
    ruled = ink.copy()
    for position in range(20, 220, 45):
        cv2.line(ruled, (0, position), (199, round(position + 200 * slope)), 1, 2)
        if squared:
            cv2.line(ruled, (position, 0), (position, 219), 1, 2)
    return ruled


@pytest.mark.parametrize("slope", [0, 0.03, -0.06])
def test_lines_are_removed_and_the_digit_is_kept(slope: float) -> None:
    cleared = remove_ruled_lines(rule(two(), slope))

    assert (cleared & two()).sum() > 0.94 * two().sum()
    assert (cleared & (1 - two())).sum() < 0.1 * two().sum()


def test_squares_are_removed_and_the_digit_is_kept() -> None:
    cleared = remove_ruled_lines(rule(two(), squared=True))

    assert (cleared & two()).sum() > 0.93 * two().sum()
    assert (cleared & (1 - two())).sum() < 0.15 * two().sum()


def test_a_one_from_edge_to_edge_is_kept() -> None:
    one = cv2.line(np.zeros((220, 120), np.uint8), (60, 0), (62, 219), 1, 6)

    np.testing.assert_array_equal(remove_ruled_lines(one), one)


def test_the_bar_of_a_seven_from_edge_to_edge_is_kept() -> None:
    seven = cv2.line(np.zeros((220, 160), np.uint8), (0, 20), (159, 20), 1, 8)
    cv2.line(seven, (150, 20), (70, 210), 1, 8)

    np.testing.assert_array_equal(remove_ruled_lines(seven), seven)


def test_paper_without_lines_is_unchanged() -> None:
    np.testing.assert_array_equal(remove_ruled_lines(two()), two())
