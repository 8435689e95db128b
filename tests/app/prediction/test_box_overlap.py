import numpy as np
import pytest

from app.prediction.box_overlap import areas, intersection, intersection_over_union

BOXES = [(0, 0, 10, 20), (5, 10, 10, 20), (10, 0, 10, 20)]
"""The second overlaps a quarter of each other one, and these two touch."""


def test_the_common_area_of_each_box_with_each_other() -> None:
    np.testing.assert_allclose(intersection(BOXES, BOXES), [[200, 50, 0], [50, 200, 50], [0, 50, 200]])
    np.testing.assert_allclose(intersection(BOXES[:1], BOXES), [[200, 50, 0]])
    assert intersection([(0, 0, 5, 5)], [(7, 7, 5, 5)]) == 0  # apart in both directions


def test_the_area_of_each_box() -> None:
    np.testing.assert_allclose(areas([*BOXES, (0.5, 0, 0, 9)]), [200, 200, 200, 0])


def test_the_common_area_as_a_share_of_both() -> None:
    shares = intersection_over_union(BOXES, BOXES)
    np.testing.assert_allclose(shares, [[1, 1 / 7, 0], [1 / 7, 1, 1 / 7], [0, 1 / 7, 1]])
    assert intersection_over_union([(0, 0, 10, 10)], [(2, 2, 5, 5)])[0, 0] == pytest.approx(0.25)
