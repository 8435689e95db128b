from collections.abc import Collection

import numpy as np
import pytest

from training.comparison import Contender, Measure, compare, comparison_table, read_right
from training.data import NOT_A_DIGIT, Examples, Images
from training.evaluate import Floats

CARD = {"multiply_adds": 1_000, "abstention": {"confidence": 0.5, "energy": None}}


def draw(count: int) -> Examples:
    """Draw images that say their own label, in how many of their pixels are bright, and nothing else."""
    labels = (np.arange(count) % 10).astype(np.int32)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = labels
    images[:, 0, 1] = np.arange(count) // 10
    return Examples(images, labels)


def contender(title: str, wrong: Collection[int] = (), sure: float = 0.95, **card: object) -> Contender:
    """Give a model that reads what `draw` drew, but for the tens that are named, which it reads wrong."""

    def answer(images: Images) -> tuple[Floats, Floats]:
        misread = np.isin(images[:, 0, 1], list(wrong))
        digits = (images[:, 0, 0].astype(int) + misread) % 10
        probabilities = np.full((len(images), 10), (1 - sure) / 9)
        probabilities[np.arange(len(images)), digits] = sure
        return np.log(probabilities), probabilities

    return Contender(title, {**CARD, **card}, answer)


def verdicts(before: Contender, after: Contender, held_back: Examples | None = None) -> dict[str, str]:
    return {row.name: row.verdict for row in compare(before, after, draw(200), held_back)}


def test_equals_are_the_same_in_everything() -> None:
    rows = verdicts(contender("old"), contender("new"))
    assert set(rows.values()) == {"same"}
    assert list(rows) == [
        "MNIST test, right",
        "corrupted test, right",
        "calibration error",
        "multiply-adds",
        "time for an image",
    ]


def test_one_that_reads_more_is_better_and_the_other_way_round_worse() -> None:
    poor, good = contender("poor", wrong={1, 2}), contender("good")
    assert verdicts(poor, good)["MNIST test, right"] == "better"
    assert verdicts(good, poor)["MNIST test, right"] == "worse"


def test_as_many_won_as_lost_is_the_same() -> None:
    measure = compare(contender("old", wrong={1, 2}), contender("new", wrong={3, 4}), draw(200))[0]
    assert (measure.verdict, measure.p, measure.note) == ("same", 1.0, "20 won, 20 lost")


def test_one_more_right_is_no_proof() -> None:
    assert verdicts(contender("old", wrong={1}), contender("new"), draw(4))["held-back feedback, right"] == "same"


def test_overconfidence_is_worse() -> None:
    wrong = {1, 2, 3}  # 85 % right
    honest, boastful = contender("honest", wrong=wrong, sure=0.85), contender("boastful", wrong=wrong, sure=0.999)
    assert verdicts(honest, boastful)["calibration error"] == "worse"
    assert verdicts(boastful, honest)["calibration error"] == "better"


@pytest.mark.parametrize(("cost", "verdict"), [(1_090, "same"), (1_200, "worse"), (800, "better")])
def test_cost_has_a_tolerance_of_a_tenth(cost: int, verdict: str) -> None:
    assert verdicts(contender("old"), contender("new", multiply_adds=cost))["multiply-adds"] == verdict


def test_a_slower_model_is_worse() -> None:
    quick = contender("quick")

    def answer_ten_times(images: Images) -> tuple[Floats, Floats]:
        return [quick.answer(images) for _ in range(10)][-1]

    slow = Contender("slow", quick.card, answer_ten_times)
    assert verdicts(quick, slow)["time for an image"] == "worse"
    assert verdicts(slow, quick)["time for an image"] == "better"


def test_what_is_no_digit_is_read_right_by_abstaining() -> None:
    examples = Examples(draw(3).images, np.array([0, NOT_A_DIGIT, 5], np.int32))
    assert read_right(contender("sure"), examples).tolist() == [True, False, False]
    assert read_right(contender("unsure", sure=0.4), examples).tolist() == [True, True, False]


def test_the_table_has_a_row_for_each_measure() -> None:
    measures = [
        Measure("MNIST test, right", "9", "10", "better", 0.0001, "1 won, 0 lost"),
        Measure("multiply-adds", "1", "1", "same"),
    ]
    assert comparison_table(contender("convnet 2"), contender("convnet 3"), measures) == [
        "| | convnet 2 | convnet 3 | p | verdict | |",
        "|---|---:|---:|---:|---|---|",
        "| MNIST test, right | 9 | 10 | < 0.001 | better | 1 won, 0 lost |",
        "| multiply-adds | 1 | 1 |  | same |  |",
    ]
