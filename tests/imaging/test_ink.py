"""Background and ink: polarity, uneven illumination, thresholds."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.ink import find_ink, measure_contrast, measure_contrast_on_uniform_background


def seven(side: int = 200, thickness: int = 10) -> NDArray[np.uint8]:
    """Draw an ink mask: 1 for ink, 0 for background."""
    corners = (np.array([(0.3, 0.25), (0.65, 0.25), (0.45, 0.75)]) * side).astype(np.int32)
    return cv2.polylines(np.zeros((side, side), np.uint8), [corners], isClosed=False, color=1, thickness=thickness)


def overlap(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    return float((found & true).sum() / (found | true).sum())


def picture(background: NDArray[np.floating] | float, contrast: float, noise: float = 0) -> NDArray[np.uint8]:
    ink = seven()
    grey = background * (1 - contrast * ink) + np.random.default_rng(0).normal(0, noise, ink.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light_on_dark", [False, True])
@pytest.mark.parametrize(("contrast", "noise"), [(0.9, 0), (0.9, 8), (0.1, 0), (0.1, 1)])
def test_ink_is_found_at_any_contrast_and_polarity(light_on_dark: bool, contrast: float, noise: float) -> None:  # noqa: FBT001 - a parameter of the test
    grey = picture(230, contrast, noise)

    found = find_ink(measure_contrast(255 - grey if light_on_dark else grey))

    assert overlap(found, seven()) > 0.95


def test_a_shadow_is_divided_out() -> None:
    light = np.linspace(250, 80, 200)[np.newaxis, :]

    assert overlap(find_ink(measure_contrast(picture(light, 0.6, 2))), seven()) > 0.9


def test_a_stroke_that_runs_dry_keeps_its_end() -> None:
    strength = np.linspace(0.9, 0.25, 200)[:, np.newaxis] * seven()

    found = find_ink(measure_contrast((240 * (1 - strength)).astype(np.uint8)))

    assert overlap(found, seven()) > 0.95


@pytest.mark.parametrize("level", [0, 120, 255])
def test_a_blank_picture_has_no_ink(level: int) -> None:
    assert not find_ink(measure_contrast(np.full((50, 60), level, np.uint8))).any()


@pytest.mark.parametrize("light_on_dark", [False, True])
def test_the_cheap_method_measures_the_same_on_a_uniform_background(light_on_dark: bool) -> None:  # noqa: FBT001 - a parameter of the test
    grey = picture(230, 0.7, 1)
    grey = 255 - grey if light_on_dark else grey

    contrast = measure_contrast_on_uniform_background(grey)

    assert contrast is not None
    assert np.abs(contrast.astype(int) - measure_contrast(grey)).max() <= 6


def shadow_in_the_middle() -> NDArray[np.uint8]:
    grey = picture(230, 0.7)
    grey[20:180, 20:180] //= 2
    return grey


@pytest.mark.parametrize(
    "grey",
    [picture(np.linspace(250, 200, 200)[np.newaxis, :], 0.7), picture(230, 0.7, 8), shadow_in_the_middle()],
    ids=["uneven light", "noise", "a shadow in the middle"],
)
def test_the_cheap_method_refuses_an_uneven_background(grey: NDArray[np.uint8]) -> None:
    assert measure_contrast_on_uniform_background(grey) is None
