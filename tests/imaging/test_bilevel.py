"""Bilevel pictures: their levels and their ink."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.bilevel import Levels, find_bilevel_ink, find_levels


def draw(background: int, ink: int, side: int = 200) -> NDArray[np.uint8]:
    """Draw a bar with soft edges in the middle."""
    picture = np.full((side, side), background, np.uint8)
    start, end = (side * 2 // 5, side // 5), (side * 3 // 5, side * 4 // 5)
    return cv2.line(picture, start, end, color=ink, thickness=side // 12, lineType=cv2.LINE_AA)


@pytest.mark.parametrize(("background", "ink"), [(255, 0), (0, 255), (230, 20), (90, 254), (7, 240), (249, 12)])
@pytest.mark.parametrize("side", [150, 280, 511])
def test_both_levels_are_found(background: int, ink: int, side: int) -> None:
    assert find_levels(draw(background, ink, side)) == Levels(background, ink)


def test_a_fine_grain_hardly_changes_the_levels() -> None:
    grey = draw(100, 250)
    grain = np.clip(np.random.default_rng(0).normal(0, 2, grey.shape), -5, 5)

    levels = find_levels((grey + grain).astype(np.uint8))

    assert levels is not None
    assert levels.background == pytest.approx(100, abs=4)
    assert levels.ink == pytest.approx(250, abs=4)


def test_a_blank_picture_has_no_levels() -> None:
    assert find_levels(np.full((50, 80), 200, np.uint8)) is None


def test_a_background_of_less_than_half_is_not_bilevel() -> None:
    grey = draw(255, 0)
    grey[:80], grey[160:] = 128, 64

    assert find_levels(grey) is None


def test_faint_ink_is_not_bilevel() -> None:
    assert find_levels(draw(200, 140)) is None


def test_ink_of_many_grey_values_is_not_bilevel() -> None:
    assert find_levels(cv2.GaussianBlur(draw(255, 0), (0, 0), 8)) is None


def test_an_uneven_background_is_not_bilevel() -> None:
    shadow = np.linspace(0, 80, 200)[:, np.newaxis]

    assert find_levels((draw(240, 10) - np.minimum(shadow, draw(240, 10))).astype(np.uint8)) is None


@pytest.mark.parametrize("levels", [Levels(255, 0), Levels(0, 255), Levels(200, 20), Levels(30, 250)])
def test_contrast_is_0_on_the_background_and_255_on_ink_and_beyond(levels: Levels) -> None:
    beyond = 0 if levels.ink < levels.background else 255
    middle = (levels.background + levels.ink) // 2

    contrast = levels.measure_contrast(np.array([[levels.background, middle, levels.ink, beyond]], np.uint8))

    assert contrast[0, [0, 2, 3]].tolist() == [0, 255, 255]
    assert contrast[0, 1] == pytest.approx(127, abs=5)


def test_ink_has_at_least_half_of_full_contrast() -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[5:9, 5:9], contrast[9, 5:9] = 255, 100

    ink = find_bilevel_ink(contrast)

    assert ink is not None
    assert ink.sum() == 16
    assert ink[5:9, 5:9].all()


@pytest.mark.parametrize("where", [np.s_[0, 5:9], np.s_[-1, 5:9], np.s_[5:9, 0], np.s_[5:9, -1]])
def test_ink_at_the_border_is_refused(where: tuple[slice, slice]) -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[5:9, 5:9] = contrast[where] = 255

    assert find_bilevel_ink(contrast) is None


@pytest.mark.parametrize("where", [np.s_[9, 1:19], np.s_[1:19, 9]])
def test_ink_that_may_be_a_ruled_line_is_refused(where: tuple[slice, slice]) -> None:
    contrast = np.zeros((20, 20), np.uint8)
    contrast[where] = 255

    assert find_bilevel_ink(contrast) is None


def test_a_picture_without_ink_is_refused() -> None:
    assert find_bilevel_ink(np.zeros((20, 20), np.uint8)) is None
