"""The order of boxes in rendered layouts: the text of each box is known, and its lines are compared."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.prediction.reading_order import Box, estimate_tilt, order_lines

SIZE = 30.0  # the usual height of a digit, in pixels


def lay_out(
    rows: Sequence[int],
    *,
    pitch: float = 1.2,
    row_pitch: float = 1.6,
    tilt: float = 0,
    jitter: float = 0.1,
    missing: float = 0,
    seed: int = 0,
) -> tuple[list[Box], list[list[int]]]:
    """Lay out rows of that many digits each; distances are in heights of a digit, the tilt in degrees.

    Returns:
        The boxes in random order, and the expected lines.

    """
    generator = np.random.default_rng(seed)
    angle = np.deg2rad(tilt)
    boxes: list[Box] = []
    lines: list[list[int]] = []
    for row, count in enumerate(rows):
        lines.append([])
        for column in range(count):
            height = SIZE * generator.uniform(0.85, 1.15)
            width = height * generator.uniform(0.25, 0.8)
            x, y = SIZE * np.array([column * pitch, row * row_pitch]) + SIZE * jitter * generator.normal(size=2)
            if generator.random() < missing:
                continue
            across, down = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            lines[-1].append(len(boxes))
            boxes.append((across - width / 2, down - height / 2, width, height))
    order = generator.permutation(len(boxes))
    places = np.argsort(order)
    return [boxes[index] for index in order], [[int(places[index]) for index in line] for line in lines if line]


LAYOUTS = {
    "one line": ([8], 1.0, 1.6),
    "a long line": ([20], 0.8, 1.6),
    "a pair": ([2], 2.0, 1.6),
    "two by two": ([2, 2], 2.0, 2.0),
    "lines of different lengths": ([4, 7, 2, 6], 1.0, 1.5),
    "close lines": ([8] * 6, 1.0, 1.25),
    "a sheet of 11 x 9": ([9] * 11, 2.0, 1.9),
    "a sheet of 10 x 10": ([10] * 10, 1.3, 1.6),
    "a table of wide columns": ([7] * 8, 3.0, 1.5),
    "a column": ([1] * 9, 1.0, 1.3),
}


@pytest.mark.parametrize("tilt", [-15, -8, 0, 4, 15])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_lines_are_found_at_every_tilt(layout: str, tilt: float) -> None:
    rows, pitch, row_pitch = LAYOUTS[layout]
    for seed in range(5):
        boxes, lines = lay_out(rows, pitch=pitch, row_pitch=row_pitch, tilt=tilt, seed=seed)
        assert order_lines(boxes) == lines


@pytest.mark.parametrize("tilt", [-15, 3, 15])
def test_digits_that_are_missing_break_no_line(tilt: float) -> None:
    for seed in range(5):
        boxes, lines = lay_out([9] * 11, pitch=2, row_pitch=1.9, tilt=tilt, missing=0.2, seed=seed)
        assert order_lines(boxes) == lines


def test_boxes_that_are_no_digits_leave_the_lines_of_the_digits_alone() -> None:
    boxes, lines = lay_out([9] * 5, tilt=6)
    speck, bracket = (SIZE * 20, SIZE * 20, 4.0, 4.0), (-SIZE * 3, -SIZE, 8.0, SIZE * 1.5)
    ordered = order_lines([*boxes, speck, bracket])
    added = {len(boxes), len(boxes) + 1}
    assert [kept for line in ordered if (kept := [index for index in line if index not in added])] == lines


def test_a_gap_breaks_no_line() -> None:
    boxes: list[Box] = [(0, 0, 20, 30), (30, 2, 20, 30), (500, 4, 20, 28), (90, 50, 20, 30), (900, 0, 20, 30)]
    assert order_lines(boxes) == [[0, 1, 2, 4], [3]]


def test_digits_of_one_line_may_dance() -> None:
    """A photographed line "12357" whose 3 stands above the 2 and the 5."""
    boxes: list[Box] = [(26, 57, 8, 53), (85, 87, 35, 30), (148, 22, 22, 55), (183, 75, 29, 40), (245, 32, 22, 76)]
    assert order_lines(boxes) == [[0, 1, 2, 3, 4]]


def test_small_digits_stand_beside_a_big_one_in_their_own_lines() -> None:
    big: Box = (0, 0, 60, 100)
    upper: list[Box] = [(80, 0, 25, 40), (120, 2, 25, 40), (160, 0, 25, 40)]
    lower: list[Box] = [(82, 60, 25, 40), (122, 58, 25, 40), (162, 60, 25, 40)]
    lines = order_lines([big, *upper, *lower])
    assert sorted(map(sorted, lines)) in ([[0, 1, 2, 3], [4, 5, 6]], [[0, 4, 5, 6], [1, 2, 3]])
    assert order_lines([(0, 10, 12, 20), (30, 0, 60, 100), (110, 80, 15, 22)]) == [[0, 1, 2]]


def test_scattered_digits_come_from_top_to_bottom() -> None:
    boxes: list[Box] = [(300, 400, 20, 30), (10, 10, 20, 30), (500, 200, 20, 30), (90, 600, 20, 30)]
    assert order_lines(boxes) == [[1], [2], [0], [3]]


def test_lines_that_bend_are_followed() -> None:
    """A sheet that hangs through: the rows are arcs."""
    boxes: list[Box] = []
    for row in range(6):
        for column in range(12):
            sag = 35 * (1 - ((column - 5.5) / 5.5) ** 2)
            boxes.append((column * 36.0, row * 48 + sag, 18.0, 30.0))
    assert order_lines(boxes) == [list(range(row * 12, row * 12 + 12)) for row in range(6)]


@pytest.mark.parametrize("tilt", [-15, -7, 0, 10, 15])
def test_the_tilt_is_that_of_the_lines(tilt: float) -> None:
    boxes, _ = lay_out([9] * 5, tilt=tilt)
    assert np.rad2deg(estimate_tilt(boxes)) == pytest.approx(tilt, abs=1.5)


@pytest.mark.parametrize("boxes", [[], [(0.0, 0.0, 10.0, 20.0)], [(0.0, 30.0 * row, 10.0, 20.0) for row in range(9)]])
def test_without_neighbours_there_is_no_tilt(boxes: list[Box]) -> None:
    assert estimate_tilt(boxes) == 0
    assert order_lines(boxes) == [[index] for index in range(len(boxes))]


def test_every_box_is_in_exactly_one_line() -> None:
    generator = np.random.default_rng(0)
    for count in (1, 2, 3, 30, 200):
        boxes = [tuple(box) for box in generator.uniform(0, 300, (count, 4)).tolist()]
        boxes[0] = (*boxes[0][:2], 0.0, 0.0)  # an empty one too
        lines = order_lines(boxes)
        assert sorted(index for line in lines for index in line) == list(range(count))
