"""The digit is cropped, scaled to one size and binarised."""

import cv2
import numpy as np
import pytest

from imaging.binarise import binarise_bilevel_digit, binarise_digit


@pytest.mark.parametrize("side", [10, 60, 400])
def test_a_digit_of_any_size_is_scaled_to_the_same_size(side: int) -> None:
    contrast = np.zeros((500, 500), np.uint8)
    contrast[20 : 20 + side, 30 : 30 + side // 2] = 200

    ink = binarise_digit(contrast, (contrast > 0).astype(np.uint8))

    _, _, width, height = cv2.boundingRect(ink)
    assert height == pytest.approx(80, abs=3)
    assert width == pytest.approx(40, abs=3)
    assert set(np.unique(ink)) == {0, 1}


def test_other_components_are_left_out() -> None:
    contrast = np.zeros((100, 100), np.uint8)
    contrast[20:80, 20:40] = contrast[20:80, 50:60] = 200
    digit = np.zeros((100, 100), np.uint8)
    digit[20:80, 20:40] = 1

    ink = binarise_digit(contrast, digit)

    assert ink[:, ink.shape[1] // 2 :].any(axis=0).mean() < 1
    assert cv2.connectedComponents(ink)[0] == 2


def test_a_faint_stroke_keeps_its_width() -> None:
    strength = np.linspace(200, 40, 160)[:, np.newaxis]
    contrast = np.zeros((200, 100), np.uint8)
    contrast[20:180, 40:60] = strength

    widths = binarise_digit(contrast, (contrast > 0).astype(np.uint8)).sum(axis=1)

    assert widths[widths > 0].min() >= 0.8 * widths.max()


def test_a_bilevel_digit_is_binarised_like_any_other() -> None:
    contrast = np.zeros((200, 200), np.uint8)
    cv2.line(contrast, (60, 50), (110, 150), color=255, thickness=20, lineType=cv2.LINE_AA)
    contrast[50:60, 150:155] = 255  # another component
    digit = (contrast > 127).astype(np.uint8)
    digit[:, 140:] = 0

    ink, other = binarise_bilevel_digit(contrast, digit), binarise_digit(contrast, digit)

    assert ink.shape == other.shape
    assert np.count_nonzero(ink != other) < 0.1 * np.count_nonzero(ink)


def test_a_digit_at_the_border_is_padded_on_all_sides() -> None:
    contrast = np.full((40, 30), 255, np.uint8)

    for ink in (binarise_bilevel_digit(contrast, contrast // 255), binarise_digit(contrast, contrast // 255)):
        assert ink.any()
        assert not np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).any()
