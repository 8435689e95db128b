"""MNIST's form: conversion to it, and detection of it."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.mnist_form import is_mnist_form, to_mnist_form


def five() -> NDArray[np.uint8]:
    corners = np.array([(90, 20), (30, 25), (28, 70), (80, 75), (85, 110), (60, 130), (20, 125)])
    return cv2.polylines(np.zeros((150, 120), np.uint8), [corners], isClosed=False, color=255, thickness=14)


def test_the_digit_fills_a_box_of_twenty_about_its_centre_of_mass() -> None:
    image = to_mnist_form(five())

    moments = cv2.moments(image)
    assert image.max() == 255
    assert max(cv2.boundingRect(image)[2:]) == 20
    assert 13.45 <= moments["m10"] / moments["m00"] <= 14.5
    assert 13.45 <= moments["m01"] / moments["m00"] <= 14.5


def test_the_shape_is_not_stretched() -> None:
    one = np.zeros((160, 160), np.uint8)
    one[10:150, 70:84] = 255

    _, _, width, height = cv2.boundingRect(to_mnist_form(one))

    assert (width, height) == (2, 20)


def test_a_converted_image_is_detected() -> None:
    assert is_mnist_form(to_mnist_form(five()))


def off_centre(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.roll(image, 2, axis=1)


def faint(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image // 2


def inverted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return 255 - image


def on_grey_paper(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(image, 3)


def with_a_speck(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(np.arange(784).reshape(28, 28) == 0, 200, image).astype(np.uint8)


def too_small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(cv2.resize(image, (24, 24), interpolation=cv2.INTER_AREA), 2)


def larger(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(image, 1)


def blank(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.zeros_like(image)


@pytest.mark.parametrize(
    "change",
    [off_centre, faint, inverted, on_grey_paper, with_a_speck, too_small, larger, blank],
    ids=lambda f: f.__name__,
)
def test_a_similar_image_is_not_detected(change) -> None:  # noqa: ANN001 - one of the functions above
    assert not is_mnist_form(change(to_mnist_form(five())))
