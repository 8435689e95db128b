from typing import Any

import numpy as np
import pytest

from training.data.examples import Examples, Images
from training.evaluation.comparison import ComparedModel
from training.evaluation.metrics import Floats
from training.evaluation.promotion_gate import Decision, decide, has_new_data

DATA = {"files": {"train": "one"}, "split": {"train": 500}}
LABELS = (np.arange(200) % 10).astype(np.int32)
TEST = Examples(np.zeros((200, 28, 28), np.uint8), LABELS)
TEST.images[:, 0, 0] = LABELS
CARD = {
    "multiply_adds": 1_000,
    "abstention": {"confidence": 0.0, "energy": None},
    "data": DATA,
    "training": {"drawn_digits": 10},
    "preprocessing": 1,
}


def model(title: str, accuracy: float, **card: object) -> ComparedModel:
    """Return a model with this accuracy on TEST. It classifies the other images as the next digit."""

    def classify(images: Images) -> tuple[Floats, Floats]:
        digits = images[:, 0, 0].astype(int)
        wrong = np.arange(len(images)) >= accuracy * len(images)
        probabilities = np.full((len(images), 10), 0.01)
        probabilities[np.arange(len(images)), (digits + wrong) % 10] = 0.91
        return np.log(probabilities), probabilities

    return ComparedModel(title, CARD | card, classify)


def trained_on(*sources: tuple[str, int]) -> dict[str, Any]:
    """Return the data of a card with sources, given as digest and number of training images."""
    return {"data": DATA | {"also": [{"sha256": sha256, "learnt": learnt} for sha256, learnt in sources]}}


NEW = trained_on(("corrections", 40))


def test_a_better_candidate_is_accepted() -> None:
    decision = decide(model("convnet 1", 0.5), model("the candidate", 0.9), TEST)
    assert decision.objections == []
    assert not decision.reproduced


def test_a_worse_candidate_is_rejected_with_the_reason() -> None:
    decision = decide(model("convnet 1", 0.9), model("the candidate", 0.5, **NEW), TEST)
    assert "MNIST test, right: significantly worse." in decision.objections
    table, *objections = str(decision).split("MNIST test, right: significantly worse.")
    assert "| MNIST test, right | 180 of 200 (90.00%) | 100 of 200 (50.00%) | < 0.001 | worse |" in table
    assert objections


@pytest.mark.parametrize(
    ("card", "passes"),
    [
        ({}, False),
        (NEW, True),
        ({"preprocessing": 2}, True),
        ({"preprocessing": 2, "training": {"drawn_digits": 0}}, False),  # MNIST's images are not preprocessed
    ],
)
def test_an_equal_candidate_is_accepted_only_with_new_training_data(card: dict[str, Any], passes: bool) -> None:  # noqa: FBT001
    decision = decide(model("convnet 1", 0.9), model("the candidate", 0.905, **card), TEST)
    assert has_new_data(CARD | card, CARD) is passes
    assert (decision.objections == []) is passes
    if not passes:
        assert decision.objections == [
            "Nothing is significantly better than in convnet 1, and there is no new training data."
        ]


@pytest.mark.parametrize(
    ("candidate", "served", "new"),
    [
        ({"data": DATA | {"files": {"train": "another"}}}, {}, True),
        ({"data": DATA | {"split": {"train": 400}}}, {}, True),
        (trained_on(("corrections", 1)), {}, True),
        (trained_on(("corrections", 0)), {}, False),
        (trained_on(("corrections", 1)), trained_on(("corrections", 1)), False),
        (trained_on(("a", 1), ("b", 1)), trained_on(("a", 1)), True),
        (trained_on(("a", 1)), trained_on(("b", 1), ("a", 1)), False),
        ({}, trained_on(("corrections", 1)), False),
    ],
)
def test_only_data_that_the_served_version_lacks_is_new(
    candidate: dict[str, Any],
    served: dict[str, Any],
    new: bool,  # noqa: FBT001
) -> None:
    assert has_new_data(CARD | candidate, CARD | served) is new


def test_a_candidate_without_the_feedback_of_the_served_version_is_rejected() -> None:
    decision = decide(model("convnet 2", 0.9, **NEW), model("the candidate", 0.895), TEST)
    assert not decision.reproduced
    assert len(decision.objections) == 1
    assert "no new training data" in decision.objections[0]


def test_contradictory_feedback_is_an_objection() -> None:
    shuffled = Examples(TEST.images[:40], (TEST.labels[:40] + 3) % 10)
    decision = decide(model("convnet 1", 0.9), model("the candidate", 0.9, **NEW), TEST, shuffled)
    assert len(decision.objections) == 1
    assert decision.objections[0].startswith("held-back feedback: the accuracy is 0%; expected at least 50%")


def test_identical_predictions_are_detected() -> None:
    assert decide(model("convnet 1", 0.9), model("the candidate", 0.9), TEST).reproduced
    assert decide(model("convnet 1", 0.9), model("the candidate", 0.9, **NEW), TEST).reproduced
    other_preprocessing = model("the candidate", 0.9, preprocessing=2)
    assert not decide(model("convnet 1", 0.9), other_preprocessing, TEST).reproduced
    unused = model("the candidate", 0.9, preprocessing=2, training={})
    assert decide(model("convnet 1", 0.9), unused, TEST).reproduced


def test_the_card_records_the_decision() -> None:
    decision = Decision([], [], ["It is worse."], reproduced=False)
    assert decision.as_json(2, forced=True) == {
        "with_version": 2,
        "measures": [],
        "objections": ["It is worse."],
        "forced": True,
    }
