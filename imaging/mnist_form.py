"""MNIST's form: 28x28, white ink on black, the digit in a box of 20, its centre of mass in the middle.

Knows how MNIST was made out of scans of ink (LeCun et al. 1998; Yadav and Bottou 2019, "Cold Case: The Lost MNIST
Digits"); knows nothing of pictures.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_BOX = 20
_SIDE = 28
_INDEX = np.arange(_SIDE)


def is_mnist_form(grey: NDArray[np.uint8]) -> bool:
    """Tell whether `grey`, uint8 (h, w), has what every one of MNIST's 70,000 images has.

    That is: 28x28, ink of 254 or more, at least half of it bare paper of exactly 0, a box of 19 or 20 on its longest
    side, and the centre of mass at 13.45 to 14.5, counting the first pixel as 0.
    """
    # OpenCV's functions rather than NumPy's, which take twice as long for so few pixels.
    if grey.shape != (_SIDE, _SIDE) or cv2.minMaxLoc(grey)[1] < 254 or cv2.countNonZero(grey) > grey.size // 2:
        return False
    _, _, width, height = cv2.boundingRect(grey)
    if max(width, height) not in {_BOX - 1, _BOX}:
        return False
    moments = cv2.moments(grey)
    centre = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return all(13.45 <= coordinate <= 14.5 for coordinate in centre)


def to_mnist_form(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `ink`, uint8 (h, w), 0 paper and 255 ink, in MNIST's form: uint8 (28, 28). There must be some ink."""
    square = _square(ink)
    digit = cv2.resize(square, (_BOX, _BOX), interpolation=cv2.INTER_AREA)
    return _centre(np.asarray(cv2.convertScaleAbs(digit, alpha=255 / cv2.minMaxLoc(digit)[1]), np.uint8))


def _square(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the tight box round the ink, the shorter side padded with paper."""
    left, top, width, height = cv2.boundingRect(ink)
    side = max(width, height)
    row, column = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), np.uint8)
    square[row : row + height, column : column + width] = ink[top : top + height, left : left + width]
    return square


def _centre(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the 28x28 with `digit`, uint8 (20, 20), moved by whole pixels so that its mass is in the middle."""
    moments = cv2.moments(digit)
    row, column = (min(max(int(14.5 - moments[axis] / moments["m00"]), 0), _SIDE - _BOX) for axis in ("m01", "m10"))
    image = np.zeros((_SIDE, _SIDE), np.uint8)
    image[row : row + _BOX, column : column + _BOX] = digit
    return image
