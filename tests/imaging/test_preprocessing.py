"""The preprocessing pipeline: size, polarity, illumination and noise hardly change the image that a model scores."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import (
    ExpensivePicture,
    PictureError,
    PictureTooLarge,
    PreprocessedPicture,
    UnsupportedPicture,
    encode_png,
    is_cheap_to_decode,
    normalise,
    preprocess_picture,
    preprocess_pictures,
    preprocessing,
)


def draw_seven(side: int = 200) -> NDArray[np.uint8]:
    background = np.full((side, side), 230, np.uint8)
    corners = (np.array([(0.3, 0.3), (0.65, 0.3), (0.45, 0.75)]) * side).astype(np.int32)
    return cv2.polylines(background, [corners], isClosed=False, color=20, thickness=max(1, side // 20))


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return how much of the ink of two images differs, 0 to 1."""
    ink = first.astype(float).sum() + second.astype(float).sum()
    return float(np.abs(first.astype(float) - second).sum() / ink)


SEVEN = normalise(draw_seven()).image
NOISE = np.random.default_rng(1).integers(0, 256, (300, 300), np.uint8)


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of `call`."""
    started = time.thread_time()
    call()
    return time.thread_time() - started


def test_a_digit_is_centred_by_mass_in_a_28_by_28_image() -> None:
    image, finding, *_ = preprocess_picture(encode_png(draw_seven()))

    rows, columns = np.mgrid[:28, :28]
    assert finding is None
    assert image.shape == (28, 28)
    assert image.max() == 255
    assert abs(np.average(rows, weights=image) - 13.975) <= 0.525
    assert abs(np.average(columns, weights=image) - 13.975) <= 0.525


def test_polarity_hardly_changes_the_image() -> None:
    assert difference(normalise(255 - draw_seven()).image, SEVEN) < 0.01


@pytest.mark.parametrize("side", [28, 64, 500, 1500])
def test_size_hardly_changes_the_image(side: int) -> None:
    assert difference(normalise(draw_seven(side)).image, SEVEN) < 0.2


def test_a_tiny_digit_in_a_large_frame_is_found() -> None:
    frame = np.full((1000, 1500), 230, np.uint8)
    frame[700:780, 200:280] = draw_seven(80)

    assert difference(normalise(frame).image, SEVEN) < 0.2


@pytest.mark.parametrize("side", [70, 100, 280, 400, 560])
def test_uniform_and_uneven_backgrounds_give_the_same_image(side: int) -> None:
    grey = draw_seven(side)
    uneven = grey.copy()
    uneven[0] -= np.linspace(0, 30, side).astype(np.uint8)

    assert difference(normalise(grey).image, normalise(uneven).image) < 0.1


def test_colour_noise_shadow_and_specks_hardly_change_the_image() -> None:
    rng = np.random.default_rng(1)
    picture = draw_seven(400)[..., np.newaxis] * np.array([0.9, 0.85, 0.5]) * np.linspace(1, 0.4, 400)[:, None]
    picture[rng.integers(0, 400, 40), rng.integers(0, 400, 40)] = 0
    noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)

    image, finding, *_ = normalise(noisy)

    assert finding is None
    assert difference(image, SEVEN) < 0.2


def test_mnists_form_and_its_negative_are_returned_bit_for_bit() -> None:
    np.testing.assert_array_equal(normalise(SEVEN).image, SEVEN)
    np.testing.assert_array_equal(normalise(255 - SEVEN).image, SEVEN)
    np.testing.assert_array_equal(preprocess_picture(encode_png(SEVEN)).image, SEVEN)
    np.testing.assert_array_equal(normalise(np.dstack([SEVEN] * 3)).image, SEVEN)


def test_a_blank_picture_gives_a_blank_image() -> None:
    image, finding, *_ = normalise(np.full((50, 80), 200, np.uint8))

    assert finding == "blank"
    assert not image.any()


def test_several_pictures_are_preprocessed_as_each_alone() -> None:
    blank = np.full((50, 60), 200, np.uint8)
    uneven = draw_seven(300) - np.linspace(0, 60, 300).astype(np.uint8)
    pictures = [encode_png(pixels) for pixels in (draw_seven(), SEVEN, 255 - SEVEN, blank, uneven)]

    for together, alone in zip(preprocess_pictures(pictures), map(preprocess_picture, pictures), strict=True):
        assert isinstance(together, PreprocessedPicture)
        np.testing.assert_array_equal(together.image, alone.image)
        assert together.finding == alone.finding


def with_second_piece() -> NDArray[np.uint8]:
    return cv2.circle(draw_seven(), (40, 150), 12, 20, -1)


def with_ruled_lines() -> NDArray[np.uint8]:
    ruled = draw_seven()
    for y in range(20, 200, 30):
        ruled[y : y + 3] = 20
    return ruled


def with_shadow() -> NDArray[np.uint8]:
    return (draw_seven() * np.linspace(1, 0.4, 200)).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "is_clean"),
    [
        (draw_seven(), True),
        (255 - draw_seven(), True),
        (with_second_piece(), False),
        (with_ruled_lines(), False),
        (with_shadow(), False),
        (draw_seven()[60:], False),
    ],
    ids=["drawing", "negative", "second piece", "ruled lines", "shadow", "cut by the border"],
)
def test_a_picture_is_clean_if_it_shows_one_piece_of_ink_and_nothing_else(
    pixels: NDArray[np.uint8], *, is_clean: bool
) -> None:
    picture = normalise(pixels)
    assert picture.is_clean == is_clean
    assert picture.pixels is pixels
    assert not picture.is_mnist
    (together,) = preprocess_pictures([encode_png(pixels)])
    assert isinstance(together, PreprocessedPicture)
    assert together.is_clean == is_clean
    np.testing.assert_array_equal(together.pixels, pixels)


def test_a_picture_in_mnists_form_is_clean_and_comes_without_pixels() -> None:
    for pixels in (SEVEN, 255 - SEVEN):
        picture = normalise(pixels)
        assert (picture.is_clean, picture.is_mnist, picture.pixels) == (True, True, None)
        (together,) = preprocess_pictures([encode_png(pixels)])
        assert isinstance(together, PreprocessedPicture)
        assert (together.is_clean, together.is_mnist, together.pixels) == (True, True, None)


def test_an_error_affects_no_other_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_one(pixels: NDArray[np.uint8]) -> PreprocessedPicture:
        if pixels.shape == (13, 13):
            raise ZeroDivisionError
        return PreprocessedPicture(pixels, None)

    monkeypatch.setattr(preprocessing, "_STEPS", (fail_for_one,))
    sides = (12, 13, 14, 99)
    outcomes = preprocess_pictures(
        [b"none", *(encode_png(np.zeros((side, side), np.uint8)) for side in sides)], max_pixels=400
    )

    assert [type(outcome) for outcome in outcomes] == [
        UnsupportedPicture,
        PreprocessedPicture,
        ZeroDivisionError,
        PreprocessedPicture,
        PictureTooLarge,
    ]
    with pytest.raises(PictureError):
        preprocess_picture(b"none")


def grid(side: int, step: int, size: int = 1) -> bytes:
    """Return a picture with dots of this size, one every `step` pixels."""
    rows, columns = np.mgrid[:side, :side] % step < size
    return encode_png(np.where(rows & columns, 255, 0).astype(np.uint8))


@pytest.mark.alone
@pytest.mark.parametrize(
    "data", [grid(320, 3), grid(320, 10, 9), grid(320, 4, 2), encode_png(NOISE), encode_png(NOISE // 200 * 255)]
)
def test_a_picture_with_expensive_pixels_is_refused_at_once(data: bytes) -> None:
    assert is_cheap_to_decode(data) or len(data) > 32 * 1024
    reference = min(
        seconds(lambda: preprocess_pictures([encode_png(draw_seven())], cheap_only=True)) for _ in range(20)
    )

    (outcome,) = preprocess_pictures([data], cheap_only=True)

    assert isinstance(outcome, ExpensivePicture)
    assert min(seconds(lambda: preprocess_pictures([data], cheap_only=True)) for _ in range(5)) < 10 * reference
    assert isinstance(preprocess_pictures([data])[0], PreprocessedPicture)


def test_ordinary_small_pictures_are_cheap_with_the_same_result() -> None:
    blank = np.full((50, 60), 200, np.uint8)
    pictures = [encode_png(pixels) for pixels in (draw_seven(), draw_seven(280), SEVEN, 255 - SEVEN, blank)]
    for cheap, alone in zip(
        preprocess_pictures(pictures, cheap_only=True), map(preprocess_picture, pictures), strict=True
    ):
        assert isinstance(cheap, PreprocessedPicture)
        np.testing.assert_array_equal(cheap.image, alone.image)


@pytest.mark.alone
def test_noise_is_preprocessed_in_bounded_time() -> None:
    reference = min(seconds(lambda: preprocess_picture(encode_png(draw_seven()))) for _ in range(20))
    assert min(seconds(lambda: preprocess_picture(encode_png(NOISE))) for _ in range(3)) < 200 * reference
