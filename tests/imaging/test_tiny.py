import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import images_as_they_came, is_tiny


def draw_seven(height: int, width: int, thickness: int = 2) -> NDArray[np.uint8]:
    """Draw a 7 that touches three sides of the picture, light on dark."""
    points = np.array([(0, 0), (width - 1, 0), (width // 3, height - 1)], np.int32)
    return cv2.polylines(np.zeros((height, width), np.uint8), [points], isClosed=False, color=255, thickness=thickness)


@pytest.mark.parametrize(
    ("size", "expected"), [((28, 28), True), ((8, 5), True), ((32, 32), True), ((33, 20), False), ((20, 400), False)]
)
def test_a_picture_is_tiny_if_both_sides_are_short(size: tuple[int, int], *, expected: bool) -> None:
    assert is_tiny(np.zeros(size, np.uint8)) == expected
    assert is_tiny(np.zeros((*size, 3), np.uint8)) == expected


def test_a_striped_picture_of_28x28_pixels_is_the_first_image_as_it_came_light_on_dark() -> None:
    striped = np.zeros((28, 28), np.uint8)
    striped[4:24, 6:22] = draw_seven(20, 16)
    striped[::4] = np.maximum(striped[::4], 90)
    for pixels in (striped, 255 - striped, np.dstack([striped] * 3)):
        np.testing.assert_array_equal(images_as_they_came(pixels)[0], striped)


@pytest.mark.parametrize("size", [(8, 8), (16, 12), (16, 16), (30, 20)])
def test_all_ink_of_a_tight_crop_is_kept_in_both_polarities(size: tuple[int, int]) -> None:
    seven = draw_seven(*size)
    light, dark = images_as_they_came(seven), images_as_they_came(255 - seven)
    np.testing.assert_array_equal(light[0], dark[-1])
    image = light[0]
    assert image.shape == (28, 28)
    left, top, width, height = cv2.boundingRect((image > 60).astype(np.uint8))
    assert max(width, height) in {19, 20}
    assert width / height == pytest.approx(size[1] / size[0], abs=0.2)
    # The bar at the top reaches from side to side, although it lies at the border of the picture.
    assert (image[top + 1, left + 2 : left + width - 2] > 60).all()
    centre = cv2.moments(image)
    assert centre["m10"] / centre["m00"] == pytest.approx(14, abs=0.6)
    assert centre["m01"] / centre["m00"] == pytest.approx(14, abs=0.6)


def test_a_picture_without_contrast_has_no_ink() -> None:
    assert images_as_they_came(np.full((20, 20), 130, np.uint8)) == []
    (image,) = images_as_they_came(np.full((28, 28), 0, np.uint8))
    assert not image.any()
