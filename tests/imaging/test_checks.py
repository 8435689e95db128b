"""Findings: pictures of one digit have none, and other pictures have the correct one."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import Finding, normalise

FONT = cv2.FONT_HERSHEY_SIMPLEX


def write(text: str, width: int = 400, scale: float = 4) -> NDArray[np.uint8]:
    background = np.full((200, width), 240, np.uint8)
    return cv2.putText(background, text, (40, 150), FONT, scale, 30, 9)


@pytest.mark.parametrize("digit", "0123456789")
def test_one_digit_has_no_finding(digit: str) -> None:
    assert normalise(write(digit)).finding is None


@pytest.mark.parametrize("text", ["10", "47", "2026"])
def test_several_digits(text: str) -> None:
    assert normalise(write(text, width=600)).finding == "several_digits"


def two_rows() -> NDArray[np.uint8]:
    return np.vstack([write("3"), write("8")])


def dash() -> NDArray[np.uint8]:
    return cv2.line(np.full((200, 300), 240, np.uint8), (60, 100), (240, 104), 20, 12)


def dot() -> NDArray[np.uint8]:
    return cv2.circle(np.full((200, 300), 240, np.uint8), (120, 90), 9, 20, -1)


def page_of_text() -> NDArray[np.uint8]:
    page = np.full((500, 500), 245, np.uint8)
    for row in range(40, 480, 30):
        cv2.putText(page, "the quick brown fox", (30, row), FONT, 0.8, 20, 2)
    return page


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).normal(128, 40, (300, 300)).clip(0, 255).astype(np.uint8)


def grid() -> NDArray[np.uint8]:
    page = np.full((300, 300), 240, np.uint8)
    page[60:240:30, 60:240] = page[60:240, 60:240:30] = 20
    return cv2.erode(page, np.ones((5, 5), np.uint8))


@pytest.mark.parametrize(
    ("picture", "finding"),
    [
        (two_rows(), "several_digits"),
        (dash(), "not_a_digit"),
        (dot(), "not_a_digit"),
        (page_of_text(), "not_a_digit"),
        (noise(), "not_a_digit"),
        (grid(), "not_a_digit"),
        (np.full((80, 60), 200, np.uint8), "blank"),
    ],
    ids=["two rows", "dash", "dot", "page of text", "noise", "grid", "bare background"],
)
def test_other_pictures_have_a_finding(picture: NDArray[np.uint8], finding: Finding) -> None:
    assert normalise(picture).finding == finding
