"""Pictures of two levels: which they are, and what is ink in them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.bilevel import Levels, find_bilevel_ink, find_levels


def draw(paper: int, ink: int, side: int = 200) -> NDArray[np.uint8]:
    """Draw a bar with soft edges in the middle."""
    picture = np.full((side, side), paper, np.uint8)
    start, end = (side * 2 // 5, side // 5), (side * 3 // 5, side * 4 // 5)
    return cv2.line(picture, start, end, color=ink, thickness=side // 12, lineType=cv2.LINE_AA)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (230, 20), (90, 254), (7, 240), (249, 12)])
@pytest.mark.parametrize("side", [150, 280, 511])
def test_both_levels_are_found(paper: int, ink: int, side: int) -> None:
    assert find_levels(draw(paper, ink, side)) == Levels(paper, ink)


def test_a_fine_grain_of_the_paper_hardly_matters() -> None:
    grey = draw(100, 250)
    grain = np.clip(np.random.default_rng(0).normal(0, 2, grey.shape), -5, 5)

    levels = find_levels((grey + grain).astype(np.uint8))

    assert levels is not None
    assert levels.paper == pytest.approx(100, abs=4)
    assert levels.ink == pytest.approx(250, abs=4)


def test_bare_paper_has_no_levels() -> None:
    assert find_levels(np.full((50, 80), 200, np.uint8)) is None


def test_a_picture_without_a_paper_that_is_most_of_it_is_left_to_others() -> None:
    grey = draw(255, 0)
    grey[:80], grey[160:] = 128, 64

    assert find_levels(grey) is None


def test_faint_ink_is_left_to_others() -> None:
    assert find_levels(draw(200, 140)) is None


def test_ink_of_many_shades_is_left_to_others() -> None:
    assert find_levels(cv2.GaussianBlur(draw(255, 0), (0, 0), 8)) is None


def test_uneven_paper_is_left_to_others() -> None:
    shadow = np.linspace(0, 80, 200)[:, np.newaxis]

    assert find_levels((draw(240, 10) - np.minimum(shadow, draw(240, 10))).astype(np.uint8)) is None


@pytest.mark.parametrize("levels", [Levels(255, 0), Levels(0, 255), Levels(200, 20), Levels(30, 250)])
def test_contrast_is_nothing_on_paper_and_full_on_ink_and_beyond(levels: Levels) -> None:
    beyond = 0 if levels.ink < levels.paper else 255
    middle = (levels.paper + levels.ink) // 2

    contrast = levels.measure_contrast(np.array([[levels.paper, middle, levels.ink, beyond]], np.uint8))

    assert contrast[0, [0, 2, 3]].tolist() == [0, 255, 255]
    assert contrast[0, 1] == pytest.approx(127, abs=5)


def test_what_has_half_of_full_contrast_is_ink() -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[5:9, 5:9], contrast[9, 5:9] = 255, 100

    ink = find_bilevel_ink(contrast)

    assert ink is not None
    assert ink.sum() == 16
    assert ink[5:9, 5:9].all()


@pytest.mark.parametrize("where", [np.s_[0, 5:9], np.s_[-1, 5:9], np.s_[5:9, 0], np.s_[5:9, -1]])
def test_ink_at_the_border_is_left_to_others(where: tuple[slice, slice]) -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[5:9, 5:9] = contrast[where] = 255

    assert find_bilevel_ink(contrast) is None


@pytest.mark.parametrize("where", [np.s_[9, 1:19], np.s_[1:19, 9]])
def test_what_may_be_a_ruling_is_left_to_others(where: tuple[slice, slice]) -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[where] = 255

    assert find_bilevel_ink(contrast) is None


def test_no_ink_is_left_to_others() -> None:
    assert find_bilevel_ink(np.zeros((20, 20), np.uint8)) is None
