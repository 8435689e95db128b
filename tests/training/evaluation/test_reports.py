import numpy as np

from tests.training.evaluation.conftest import Scores
from training.data.examples import Labels
from training.evaluation.metrics import softmax
from training.evaluation.reports import accuracy_report, classification_report


def test_an_accuracy_report_counts_correct_predictions() -> None:
    scores = np.eye(10)[[3, 3, 5, 9]]
    labels = np.array([3, 2, 5, 9], np.int32)
    assert accuracy_report(scores, labels) == {"total": 4, "correct": 3, "accuracy": 0.75}


def test_the_counts_of_a_report_are_consistent(calibrated: tuple[Scores, Labels]) -> None:
    logits, labels = calibrated
    found = classification_report(logits, softmax(logits), labels, {"confidence": 0.2, "energy": None})
    confusion = np.array(found["confusion"])
    assert found["total"] == confusion.sum() == 20_000
    assert found["correct"] == np.trace(confusion)
    assert found["recall"][7] == confusion[7, 7] / confusion[7].sum()
    assert found["interval_95"][0] < found["accuracy"] < found["interval_95"][1]


def test_the_recall_of_a_digit_without_images_is_zero() -> None:
    scores = np.eye(10)[[1, 2]]
    assert (
        classification_report(scores, scores, np.array([1, 2]), {"confidence": 0.0, "energy": None})["recall"][3] == 0
    )
