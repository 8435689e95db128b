"""Clusters on drawn pages, with a finder for which dark pixels are ink, and each dark blob has a core."""

import numpy as np
import pytest

from app.prediction.clusters import Cluster, find_clusters
from tests.app.dark_blobs import CELL, draw_page
from tests.app.tiny_finder import CountingFinder, draw_shapes


def test_a_small_digit_gets_a_window_of_its_own() -> None:
    run = CountingFinder()
    page = draw_shapes(("line", (80, 70, 80, 120)), side=300)
    (digit,) = find_clusters(page, run, thorough=False)
    assert run.runs > 1
    assert digit.box == pytest.approx((74, 70, 13, 50), abs=3)
    large = CountingFinder()
    find_clusters(draw_shapes(("line", (80, 20, 80, 170))), large, thorough=False)
    assert large.runs == 1


def test_tiny_digits_on_a_sheet_are_found_once_each_from_nearer() -> None:
    page = np.full((1000, 1000, 3), 255, np.uint8)
    for row in range(5):
        page[200 * row : 200 * row + CELL, 100:160] = np.asarray(draw_page(["7"]))
    digits = find_clusters(page, run := CountingFinder(), thorough=True)
    assert run.runs > 4
    assert [box[1] for box in sorted([digit.box for digit in digits], key=lambda box: box[1])] == pytest.approx(
        [200 * row + 7 for row in range(5)], abs=5
    )
    assert [box[0] for box in [digit.box for digit in digits]] == pytest.approx([113] * 5, abs=5)


def test_beside_a_large_digit_a_thorough_search_looks_at_small_ones_from_nearer() -> None:
    page = np.full((600, 600, 3), 255, np.uint8)
    page[100:500, 100:160] = 0
    page[300:340, 400:415] = 0

    def is_small_one(digit: Cluster) -> bool:
        return digit.box[0] == pytest.approx(400, abs=4) and digit.box[3] == pytest.approx(40, abs=4)

    find_clusters(page, quick := CountingFinder(), thorough=False)
    assert any(map(is_small_one, find_clusters(page, thorough := CountingFinder(), thorough=True)))
    assert thorough.runs > quick.runs


def test_a_ring_round_a_digit_is_no_digit() -> None:
    page = draw_shapes(("ellipse", (30, 20, 160, 170)), ("line", (96, 60, 96, 130)))
    (digit,) = find_clusters(page, CountingFinder(np.s_[38:58, 44:52]), thorough=False)
    assert digit.box == pytest.approx((90, 60, 13, 71), abs=4)
