"""MNIST's form: 28x28 pixels, white ink on black, the digit scaled to 20x20 and centred by its centre of mass.

This is how MNIST was made from scanned ink (LeCun et al. 1998; Yadav and Bottou 2019, "Cold Case: The Lost MNIST
Digits"). Knows nothing of the picture that contains the digit.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_BOX_SIDE = 20
_IMAGE_SIDE = 28


def is_mnist_form(grey: NDArray[np.uint8]) -> bool:
    """Tell whether `grey`, uint8 (h, w), has the properties that all 70,000 images of MNIST have.

    They are: 28x28 pixels, a largest value of 254 or more, a value of exactly 0 in at least half of the pixels, a
    bounding box whose longest side is 19 or 20, and a centre of mass at 13.45 to 14.5, the first pixel being at 0.
    """
    # NumPy takes twice as long as OpenCV for so few pixels.
    if grey.shape != (_IMAGE_SIDE, _IMAGE_SIDE):
        return False
    if cv2.minMaxLoc(grey)[1] < 254 or cv2.countNonZero(grey) > grey.size // 2:
        return False
    _, _, width, height = cv2.boundingRect(grey)
    if max(width, height) not in {_BOX_SIDE - 1, _BOX_SIDE}:
        return False
    moments = cv2.moments(grey)
    centre = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return all(13.45 <= coordinate <= 14.5 for coordinate in centre)


def to_mnist_form(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `ink` in MNIST's form: uint8 (28, 28).

    Args:
        ink: uint8 (h, w), 0 for background and 255 for ink. At least one pixel is not 0.

    """
    square = _crop_to_square(ink)
    digit = cv2.resize(square, (_BOX_SIDE, _BOX_SIDE), interpolation=cv2.INTER_AREA)
    return _centre(np.asarray(cv2.convertScaleAbs(digit, alpha=255 / cv2.minMaxLoc(digit)[1]), np.uint8))


def _crop_to_square(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop `ink` to its bounding box, and pad the shorter side with background to a square."""
    left, top, width, height = cv2.boundingRect(ink)
    side = max(width, height)
    row, column = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), np.uint8)
    square[row : row + height, column : column + width] = ink[top : top + height, left : left + width]
    return square


def _centre(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Place `digit`, uint8 (20, 20), in uint8 (28, 28), by whole pixels, with its centre of mass in the middle."""
    moments = cv2.moments(digit)
    max_offset = _IMAGE_SIDE - _BOX_SIDE
    row, column = (min(max(int(14.5 - moments[axis] / moments["m00"]), 0), max_offset) for axis in ("m01", "m10"))
    image = np.zeros((_IMAGE_SIDE, _IMAGE_SIDE), np.uint8)
    image[row : row + _BOX_SIDE, column : column + _BOX_SIDE] = digit
    return image
