from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.scenes.contact_sheet import save_contact_sheet, thumbnail
from benchmarks.scenes.examples import TestDigits as MnistDigits
from benchmarks.scenes.files import encode
from benchmarks.scenes.kinds import KINDS
from benchmarks.scenes.measuring import Plan, drawn_string, measure_digits, measure_strings, measure_symbols
from benchmarks.scenes.results import Case, StringCase, print_digits, print_strings, print_symbols
from benchmarks.scenes.service import Answer
from benchmarks.scenes.stacks import STACKS
from benchmarks.scenes.strings import STRINGS, draw_string
from benchmarks.scenes.strokes import digit_lines, thin
from benchmarks.scenes.symbols import LETTERS, SYMBOLS
from imaging import decode

QUICK = ["finger", "clean", "letter", "touching pair"]
EVERY = {**KINDS, **STACKS}


@pytest.fixture
def seven() -> NDArray[np.uint8]:
    """Return a seven as MNIST has it: 20 pixels high, white on black."""
    image = np.zeros((28, 28), np.uint8)
    image[4:7, 7:20] = 255
    for row in range(7, 24):
        image[row, 18 - (row - 7) // 2 : 21 - (row - 7) // 2] = 255
    return image


@pytest.fixture
def digits(seven: NDArray[np.uint8]) -> MnistDigits:
    return MnistDigits(seven[np.newaxis], np.array([7], np.uint8))


@pytest.mark.parametrize("name", EVERY)
def test_each_kind_draws_a_picture_with_contrast(name: str, seven: NDArray[np.uint8]) -> None:
    picture = EVERY[name](seven, np.random.default_rng(1))
    assert picture.dtype == np.uint8
    assert picture.ndim == 2 or picture.shape[2] == 3
    assert np.ptp(picture) > 20


@pytest.mark.parametrize("name", ["ring round the digit", "almost MNIST", "two or three things"])
def test_the_same_generator_draws_the_same_picture(name: str, seven: NDArray[np.uint8]) -> None:
    first, second, other = (EVERY[name](seven, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SYMBOLS)
def test_each_kind_without_a_digit_draws_a_picture(name: str) -> None:
    picture = SYMBOLS[name](np.random.default_rng(2))
    assert picture.dtype == np.uint8
    assert min(picture.shape[:2]) >= 20


def test_the_alphabet_leaves_out_what_looks_like_a_digit() -> None:
    assert not set("oOlISZbqszgi") & set(LETTERS)


def test_a_skeleton_is_one_pixel_wide_and_as_long_as_the_stroke() -> None:
    stroke = np.zeros((20, 60), np.bool_)
    stroke[7:14, 5:55] = True
    skeleton = thin(stroke)
    assert skeleton.sum(axis=0).max() == 1
    assert skeleton.sum() >= 40


def test_the_lines_of_a_digit_follow_its_strokes(seven: NDArray[np.uint8]) -> None:
    points = np.concatenate(digit_lines(seven))
    assert np.ptp(points[:, 1]) == pytest.approx(18, abs=2)
    assert (seven[points[:, 1].astype(int), points[:, 0].astype(int)] > 0).mean() > 0.97


def test_digits_that_touch_are_closer_than_separate_ones(seven: NDArray[np.uint8]) -> None:
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 12:16] = 255
    for seed in range(3):
        apart = draw_string([seven, bar], np.random.default_rng(seed), touching=False)
        together = draw_string([seven, bar], np.random.default_rng(seed), touching=True)
        assert together.shape[1] < apart.shape[1]


def test_a_string_comes_with_its_lines(digits: MnistDigits) -> None:
    _, lines = drawn_string(STRINGS["three lines"], digits, np.random.default_rng(0))
    assert lines == ["7777"] * 3


def test_tiny_pictures_are_encoded_without_loss(seven: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode(encode(seven, np.random.default_rng(0))), seven)


def test_every_picture_of_a_plan_is_predicted_and_counted(
    digits: MnistDigits, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict(pictures: Sequence[bytes]) -> list[Answer]:
        return [Answer(7, 0.9, None) for _ in pictures]

    plan = Plan(digits, each=2, seed=0, parts=QUICK)
    print_digits("kind", measure_digits(plan, KINDS, predict))
    print_symbols(measure_symbols(plan, predict))
    print_strings(measure_strings(plan, lambda _: ["77"]))
    table = capsys.readouterr().out.splitlines()
    assert "| finger | 2 | 100.0 % | 0.0 % | 0.0 % | 100.0 % |" in table
    assert "| letter | 2 | 0.0 % |" in table
    assert "| touching pair | 2 | 100.0 % | 100.0 % |" in table


def test_shares_tell_wrong_from_abstained(capsys: pytest.CaptureFixture[str]) -> None:
    small = np.zeros((2, 2, 3), np.uint8)
    answers = [Answer(7, 1, None), Answer(7, 1, "unsure"), Answer(1, 1, None), Answer(1, 1, "unsure")]
    cases = [Case("k", small, 7, answer) for answer in answers]
    print_digits("kind", cases)
    assert "| k | 4 | 50.0 % | 25.0 % | 50.0 % | 25.0 % |" in capsys.readouterr().out
    assert [case.is_failure for case in cases] == [False, True, True, True]


def test_digits_read_in_order_are_counted_without_those_between(capsys: pytest.CaptureFixture[str]) -> None:
    print_strings([StringCase("k", ["12", "34"], ["1523"]), StringCase("k", ["1"], ["1"])])
    assert "| k | 2 | 50.0 % | 80.0 % |" in capsys.readouterr().out


def test_a_contact_sheet_holds_each_failure(tmp_path: Path, seven: NDArray[np.uint8]) -> None:
    path = tmp_path / "sheet.png"
    save_contact_sheet(path, [Case("k", thumbnail(seven), 7, Answer(1, 0.5, None))] * 11)
    with Image.open(path) as sheet:
        assert sheet.height > 2 * thumbnail(seven).shape[0]
