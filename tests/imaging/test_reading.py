"""The line from a picture to 28x28: what any picture of a digit must come out as."""

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging import encode_png, normalise, read_picture


def draw_seven(side: int = 200) -> NDArray[np.uint8]:
    paper = np.full((side, side), 230, np.uint8)
    corners = np.array([(0.3, 0.3), (0.65, 0.3), (0.45, 0.75)]) * side
    return cv2.polylines(paper, [corners.astype(np.int32)], isClosed=False, color=20, thickness=side // 20)


def test_a_digit_is_centred_by_mass_in_a_28_by_28_image() -> None:
    image, finding = read_picture(encode_png(draw_seven()))

    rows, columns = np.mgrid[:28, :28]
    assert finding is None
    assert image.shape == (28, 28)
    assert image.max() == 255
    assert abs(np.average(rows, weights=image) - 13.5) <= 1
    assert abs(np.average(columns, weights=image) - 13.5) <= 1


def test_polarity_does_not_matter() -> None:
    dark_on_light = draw_seven()

    np.testing.assert_array_equal(normalise(dark_on_light).image, normalise(255 - dark_on_light).image)


def test_blank_paper_is_found_blank() -> None:
    assert normalise(np.full((50, 80), 200, np.uint8)).finding == "blank"
