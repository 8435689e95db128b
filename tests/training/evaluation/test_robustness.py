import numpy as np

from tests.training.conftest import draw_examples
from training.data.corruptions import CORRUPTIONS, corrupt
from training.data.examples import Images
from training.evaluation.metrics import Floats
from training.evaluation.robustness import measure_robustness, robustness_table


def test_a_model_is_evaluated_under_each_corruption() -> None:
    examples = draw_examples(30)
    calls: list[Images] = []

    def classify(images: Images) -> tuple[Floats, Floats]:
        calls.append(images)
        correct = len(calls) == 1  # only under the first corruption
        scores = np.eye(10)[examples.labels if correct else (examples.labels + 1) % 10]
        return scores, scores

    stages: list[str] = []
    accuracies = measure_robustness(classify, examples, stages.append)
    assert stages[0] == "measuring the accuracy under shot noise"
    assert len(stages) == len(CORRUPTIONS)
    assert accuracies == {name: float(index == 0) for index, name in enumerate(CORRUPTIONS)}
    np.testing.assert_array_equal(calls[3], corrupt(examples.images, list(CORRUPTIONS)[3]))


def test_the_table_ends_with_the_means_of_all_and_of_those_unlike_the_training() -> None:
    lines = robustness_table({"shot_noise": 0.98, "spatter": 0.96, "fog": 0.91})
    assert lines[2:] == [
        "| shot noise * | 98.00% |",
        "| spatter * | 96.00% |",
        "| fog | 91.00% |",
        "| mean | 95.00% |",
        "| mean of those that resemble no transformation in training (*) | 97.00% |",
    ]
