import cv2
import numpy as np
import pytest

from training.data.examples import Examples
from training.data.pages import Pages, draw_pages
from training.data.synthetic_examples import generate_digits

COUNT = 40


@pytest.fixture(scope="module")
def digits() -> Examples:
    return generate_digits(20, np.random.default_rng(0))


@pytest.fixture(scope="module")
def pages(digits: Examples) -> Pages:
    return draw_pages(digits, seed=3, start=0, count=COUNT)


def test_the_arrays_have_these_shapes(pages: Pages) -> None:
    assert pages.pictures.shape == (COUNT, 192, 192, 3)
    assert pages.ink.shape == pages.cores.shape == (COUNT, 96, 96)
    assert {array.dtype.name for array in pages[:3]} == {"uint8"}
    assert set(np.unique(pages.cores)) == {0, 255}
    assert 250 < pages.ink.max() <= 255


def test_a_page_is_determined_by_seed_and_number(digits: Examples, pages: Pages) -> None:
    some = draw_pages(digits, seed=3, start=20, count=2)
    for array, expected in zip(some, pages, strict=True):
        np.testing.assert_array_equal(array, expected[20:22])
    other_seed = draw_pages(digits, seed=4, start=20, count=2)
    assert (other_seed.pictures != some.pictures).mean() > 0.1
    assert (some.pictures[0] != some.pictures[1]).mean() > 0.1


def test_pages_show_no_digit_or_one_or_many(pages: Pages) -> None:
    assert {0, 1} < set(pages.digits.tolist())
    assert pages.digits.max() > 5


def test_each_whole_digit_has_one_core_and_a_page_without_has_neither_core_nor_ink(pages: Pages) -> None:
    found = 0
    for ink, cores, digits in zip(pages.ink, pages.cores, pages.digits, strict=True):
        count = cv2.connectedComponents(cores)[0] - 1
        assert count <= digits
        found += count
        if not digits:
            assert not ink.any()
    assert found > 0.85 * pages.digits.sum()  # some digits lie on each other


def test_the_ink_differs_from_the_ground_round_it(pages: Pages) -> None:
    contrasts = []
    for picture, ink, digits in zip(pages.pictures, pages.ink, pages.digits, strict=True):
        if digits == 1 and (ink > 200).sum() > 10:
            grey = cv2.resize(picture.mean(axis=2), (96, 96), interpolation=cv2.INTER_AREA)
            near, close = (cv2.dilate(ink, np.ones((side, side), np.uint8)) for side in (9, 5))
            around = (near > 128) & (close < 30)
            contrasts.append(abs(grey[ink > 200].mean() - grey[around].mean()))
    assert len(contrasts) > 8
    assert np.median(contrasts) > 40
