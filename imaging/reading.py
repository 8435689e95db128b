"""The line from a picture to the image a model is shown, and what the picture alone says against its being a digit."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.decode import DEFAULT_MAX_PIXELS, decode

Finding = Literal["blank", "several_digits", "not_a_digit"]


class Reading(NamedTuple):
    """What a picture was read as."""

    image: NDArray[np.uint8]
    """(28, 28), white ink (255) on black paper (0), as MNIST has it: what the model is shown."""
    finding: Finding | None
    """What the picture alone says against its being one digit; None where it says nothing."""


def read_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Reading:
    """Read the digit in the picture file `data`. Raises PictureError."""
    return normalise(decode(data, max_pixels=max_pixels))


def normalise(pixels: NDArray[np.uint8]) -> Reading:
    """Bring the digit in `pixels`, uint8 (h, w) or RGB (h, w, 3), into MNIST's form."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    if _is_in_mnist_form(grey):
        return Reading(np.array(grey), None)
    ink = _extract_ink(grey)
    box = cv2.boundingRect((ink > 127).astype(np.uint8))
    if box[2] == 0:
        return Reading(np.zeros((28, 28), np.uint8), "blank")
    return Reading(_centre(_fit(ink, box)), None)


def _is_in_mnist_form(grey: NDArray[np.uint8]) -> bool:
    if grey.shape != (28, 28) or grey.max() < 254:
        return False
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return not frame.any()


def _extract_ink(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(frame))
    distance = np.abs(grey.astype(np.float32) - paper)
    if distance.max() < 16:
        return np.zeros_like(grey)
    ink = cv2.normalize(distance, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    threshold, _ = cv2.threshold(ink, 0, 255, cv2.THRESH_OTSU)
    return np.where(ink > threshold, np.maximum(ink, 128), 0).astype(np.uint8)


def _fit(ink: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    left, top, width, height = box
    side = max(width, height)
    square = np.zeros((side, side), np.uint8)
    row, column = (side - height) // 2, (side - width) // 2
    square[row : row + height, column : column + width] = ink[top : top + height, left : left + width]
    return cv2.normalize(cv2.resize(square, (20, 20), interpolation=cv2.INTER_AREA), None, 0, 255, cv2.NORM_MINMAX)


def _centre(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    moments = cv2.moments(digit)
    column = int(14.5 - moments["m10"] / moments["m00"])
    row = int(14.5 - moments["m01"] / moments["m00"])
    row, column = min(max(row, 0), 8), min(max(column, 0), 8)
    image = np.zeros((28, 28), np.uint8)
    image[row : row + 20, column : column + 20] = digit
    return image
