"""The digit cut out, brought to one size and to two values."""

import cv2
import numpy as np
import pytest

from imaging.binarise import binarise_bilevel_digit, binarise_digit


@pytest.mark.parametrize("side", [10, 60, 400])
def test_a_digit_of_any_size_is_scanned_to_the_same_size(side: int) -> None:
    contrast = np.zeros((500, 500), np.uint8)
    contrast[20 : 20 + side, 30 : 30 + side // 2] = 200

    scan = binarise_digit(contrast, (contrast > 0).astype(np.uint8))

    _, _, width, height = cv2.boundingRect(scan)
    assert height == pytest.approx(80, abs=3)
    assert width == pytest.approx(40, abs=3)
    assert set(np.unique(scan)) == {0, 1}


def test_what_is_not_the_digit_is_left_out() -> None:
    contrast = np.zeros((100, 100), np.uint8)
    contrast[20:80, 20:40] = contrast[20:80, 50:60] = 200
    digit = np.zeros((100, 100), np.uint8)
    digit[20:80, 20:40] = 1

    scan = binarise_digit(contrast, digit)

    assert scan[:, scan.shape[1] // 2 :].any(axis=0).mean() < 1
    assert cv2.connectedComponents(scan)[0] == 2


def test_a_faint_stroke_keeps_its_width() -> None:
    strength = np.linspace(200, 40, 160)[:, np.newaxis]
    contrast = np.zeros((200, 100), np.uint8)
    contrast[20:180, 40:60] = strength

    widths = binarise_digit(contrast, (contrast > 0).astype(np.uint8)).sum(axis=1)

    assert widths[widths > 0].min() >= 0.8 * widths.max()


def test_a_bilevel_digit_is_scanned_as_any_other() -> None:
    contrast = np.zeros((200, 200), np.uint8)
    cv2.line(contrast, (60, 50), (110, 150), color=255, thickness=20, lineType=cv2.LINE_AA)
    contrast[50:60, 150:155] = 255  # another piece
    digit = (contrast > 127).astype(np.uint8)
    digit[:, 140:] = 0

    scan, other = binarise_bilevel_digit(contrast, digit), binarise_digit(contrast, digit)

    assert scan.shape == other.shape
    assert np.count_nonzero(scan != other) < 0.1 * np.count_nonzero(scan)


def test_there_is_paper_all_round_a_digit_at_the_border() -> None:
    contrast = np.full((40, 30), 255, np.uint8)

    for scan in (binarise_bilevel_digit(contrast, contrast // 255), binarise_digit(contrast, contrast // 255)):
        assert scan.any()
        assert not np.concatenate([scan[0], scan[-1], scan[:, 0], scan[:, -1]]).any()
