"""A 7 that is cut out of pictures, given maps of its ink that are not quite sharp."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import DigitMaps, Segment, cut_out_digit, normalise

WHITE = (245, 245, 245)
RED = (200, 30, 30)


def draw_coverage(side: int = 120, left: float = 0.3) -> NDArray[np.float32]:
    """Draw a 7: float32 (side, side), 0 to 1."""
    corners = (np.array([(left, 0.25), (left + 0.35, 0.25), (left + 0.15, 0.75)]) * side * 8).astype(np.int32)
    layer = np.zeros((side, side), np.uint8)
    cv2.polylines(layer, [corners], False, 255, side // 18, cv2.LINE_AA, 3)  # noqa: FBT003 (positional only)
    return layer.astype(np.float32) / 255


def paint(coverage: NDArray[np.float32], ink: tuple[int, ...], paper: tuple[int, ...] = WHITE) -> NDArray[np.uint8]:
    part = coverage[..., np.newaxis]
    return np.round(part * ink + (1 - part) * paper).astype(np.uint8)


def find(*digits: NDArray[np.float32]) -> tuple[DigitMaps, list[Segment]]:
    """Return maps in which the ink of these digits is likely, and their segments."""
    likely = [cv2.resize(cv2.blur(each, (3, 3)), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in digits]
    ink = np.max(likely, axis=0).astype(np.float32)
    segments = []
    for each in likely:
        left, top, width, height = cv2.boundingRect((each > 0.3).astype(np.uint8))
        mask = each[top : top + height, left : left + width] > 0.3
        segments.append(Segment(mask, left, top, 0.9, frozenset()))
    return DigitMaps(ink, ink, 0.5), segments


def cut_out(pixels: NDArray[np.uint8], *digits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut out the first of the digits."""
    maps, segments = find(*digits)
    return cut_out_digit(pixels, maps, segments[0])


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return how much of the ink of two images differs, 0 to 1."""
    ink = first.astype(float).sum() + second.astype(float).sum()
    return float(np.abs(first.astype(float) - second).sum() / ink)


SEVEN = draw_coverage()
EXPECTED = normalise(paint(SEVEN, (20, 20, 20))).image


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((20, 20, 20), WHITE),
        (RED, WHITE),
        ((170, 170, 170), WHITE),
        ((240, 240, 230), (30, 60, 40)),
        ((250, 240, 20), (200, 120, 20)),
    ],
    ids=["black", "red", "pencil", "chalk", "yellow on orange"],
)
def test_a_digit_has_the_same_form_as_in_a_clean_drawing(ink: tuple[int, ...], paper: tuple[int, ...]) -> None:
    image = cut_out(paint(SEVEN, ink, paper), SEVEN)
    assert image.shape == (28, 28)
    assert difference(image, EXPECTED) < 0.15


def test_a_digit_is_the_same_in_light_and_in_shadow() -> None:
    picture = paint(SEVEN, (60, 50, 40))
    light = np.linspace(1, 0.3, 120)[:, np.newaxis, np.newaxis]
    in_shadow = (picture * light).astype(np.uint8)
    assert difference(cut_out(in_shadow, SEVEN), cut_out(picture, SEVEN)) < 0.08


def test_a_ruled_line_of_another_colour_loses_its_contrast() -> None:
    def cut_out_with_line(colour: tuple[int, ...]) -> NDArray[np.uint8]:
        line = np.zeros_like(SEVEN)
        line[58:64, 20:100] = 1
        picture = paint(line, colour).astype(np.float32)
        part = SEVEN[..., np.newaxis]
        ink = np.maximum(SEVEN, 0.8 * line)  # the finder is not sure that the line is none
        return cut_out((part * RED + (1 - part) * picture).astype(np.uint8), ink)

    plain = cut_out(paint(SEVEN, RED), SEVEN)
    assert difference(cut_out_with_line((120, 150, 240)), plain) < 0.15
    assert difference(cut_out_with_line(RED), plain) > 0.3


def test_the_ink_of_a_neighbour_is_left_out() -> None:
    neighbour = draw_coverage(left=0.55)
    both = paint(np.maximum(SEVEN, neighbour), (20, 20, 20))
    assert difference(cut_out(both, SEVEN, neighbour), EXPECTED) < 0.15
    assert difference(cut_out(both, neighbour, SEVEN), EXPECTED) < 0.15


def test_a_large_digit_is_cut_out_as_a_small_one() -> None:
    large = draw_coverage(side=900)
    assert difference(cut_out(paint(large, (20, 20, 20)), large), EXPECTED) < 0.1


def test_a_digit_at_the_border_of_the_picture_is_cut_out() -> None:
    left, top, width, height = cv2.boundingRect((SEVEN > 0).astype(np.uint8))
    tight = np.ascontiguousarray(SEVEN[top : top + height // 2 * 2, left : left + width // 2 * 2])
    assert difference(cut_out(paint(tight, (20, 20, 20)), tight), EXPECTED) < 0.2


def test_without_any_likely_ink_the_image_is_black() -> None:
    maps, segments = find(SEVEN)
    nothing = maps._replace(ink=np.zeros_like(maps.ink))
    assert not cut_out_digit(paint(SEVEN, (20, 20, 20)), nothing, segments[0]).any()
