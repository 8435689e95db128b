from collections.abc import Collection

import numpy as np
import pytest

from training.data.examples import NOT_A_DIGIT, Examples, Images
from training.evaluation.abstention import AbstentionRates
from training.evaluation.comparison import (
    ComparedModel,
    Measure,
    compare,
    compare_abstention,
    comparison_table,
    correct_predictions,
)
from training.evaluation.metrics import Floats

CARD = {"multiply_adds": 1_000, "abstention": {"confidence": 0.5, "energy": None}}


def draw(count: int) -> Examples:
    """Return images whose first pixel is the label, and whose second pixel is the index divided by ten."""
    labels = (np.arange(count) % 10).astype(np.int32)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = labels
    images[:, 0, 1] = np.arange(count) // 10
    return Examples(images, labels)


def model(title: str, wrong: Collection[int] = (), sure: float = 0.95, **card: object) -> ComparedModel:
    """Return a model that classifies the images of `draw` correctly, except those with a second pixel in `wrong`."""

    def classify(images: Images) -> tuple[Floats, Floats]:
        misclassified = np.isin(images[:, 0, 1], list(wrong))
        digits = (images[:, 0, 0].astype(int) + misclassified) % 10
        probabilities = np.full((len(images), 10), (1 - sure) / 9)
        probabilities[np.arange(len(images)), digits] = sure
        return np.log(probabilities), probabilities

    return ComparedModel(title, {**CARD, **card}, classify)


def verdicts(baseline: ComparedModel, candidate: ComparedModel, held_out: Examples | None = None) -> dict[str, str]:
    return {row.name: row.verdict for row in compare(baseline, candidate, draw(200), held_out)}


def test_equal_models_are_the_same_in_every_measure() -> None:
    rows = verdicts(model("old"), model("new"))
    assert set(rows.values()) == {"same"}
    assert list(rows) == [
        "MNIST test, right",
        "corrupted test, right",
        "calibration error",
        "multiply-adds",
        "time for an image",
    ]


def test_a_higher_accuracy_is_better_and_a_lower_one_is_worse() -> None:
    poor, good = model("poor", wrong={1, 2}), model("good")
    assert verdicts(poor, good)["MNIST test, right"] == "better"
    assert verdicts(good, poor)["MNIST test, right"] == "worse"


def test_equally_many_wins_and_losses_are_the_same() -> None:
    measure = compare(model("old", wrong={1, 2}), model("new", wrong={3, 4}), draw(200))[0]
    assert (measure.verdict, measure.p, measure.note) == ("same", 1.0, "20 won, 20 lost")


def test_one_more_correct_image_is_not_significant() -> None:
    assert verdicts(model("old", wrong={1}), model("new"), draw(4))["held-back feedback, right"] == "same"


def test_overconfidence_is_worse() -> None:
    wrong = {1, 2, 3}  # an accuracy of 85 %
    calibrated, overconfident = (
        model("calibrated", wrong=wrong, sure=0.85),
        model("overconfident", wrong=wrong, sure=0.999),
    )
    assert verdicts(calibrated, overconfident)["calibration error"] == "worse"
    assert verdicts(overconfident, calibrated)["calibration error"] == "better"


@pytest.mark.parametrize(("cost", "verdict"), [(1_090, "same"), (1_200, "worse"), (800, "better")])
def test_cost_has_a_tolerance_of_a_tenth(cost: int, verdict: str) -> None:
    assert verdicts(model("old"), model("new", multiply_adds=cost))["multiply-adds"] == verdict


def test_a_slower_model_is_worse() -> None:
    quick = model("quick")

    def classify_ten_times(images: Images) -> tuple[Floats, Floats]:
        return [quick.classify(images) for _ in range(10)][-1]

    slow = ComparedModel("slow", quick.card, classify_ten_times)
    assert verdicts(quick, slow)["time for an image"] == "worse"
    assert verdicts(slow, quick)["time for an image"] == "better"


def test_abstaining_is_correct_for_an_image_without_a_digit() -> None:
    examples = Examples(draw(3).images, np.array([0, NOT_A_DIGIT, 5], np.int32))
    assert correct_predictions(model("sure"), examples).tolist() == [True, False, False]
    assert correct_predictions(model("unsure", sure=0.4), examples).tolist() == [True, True, False]


def test_the_table_has_a_row_for_each_measure() -> None:
    measures = [
        Measure("MNIST test, right", "9", "10", "better", 0.0001, "1 won, 0 lost"),
        Measure("multiply-adds", "1", "1", "same"),
    ]
    assert comparison_table("convnet 2", "convnet 3", measures) == [
        "| | convnet 2 | convnet 3 | p | verdict | |",
        "|---|---:|---:|---:|---|---|",
        "| MNIST test, right | 9 | 10 | < 0.001 | better | 1 won, 0 lost |",
        "| multiply-adds | 1 | 1 |  | same |  |",
    ]


def test_thresholds_are_compared_by_their_cost_first() -> None:
    before, after = AbstentionRates(0.5, 0.25, 0.5), AbstentionRates(0.25, 0.75, 0.5)
    rows = compare_abstention(before, after)
    assert [(row.name, row.verdict) for row in rows] == [
        ("cost of abstention", "same"),  # an error that is trusted costs two abstentions
        ("digits, wrong and trusted", "better"),
        ("digits, abstained", "worse"),
        ("symbols, trusted", "same"),
    ]
    assert (rows[1].before, rows[1].after, rows[1].p) == ("50.00%", "25.00%", None)
