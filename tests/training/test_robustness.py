import numpy as np

from tests.training.conftest import draw_examples
from training.corruptions import CORRUPTIONS, corrupt
from training.data import Images
from training.evaluate import Floats
from training.robustness import measure_robustness, robustness_table


def test_a_model_is_asked_about_each_corruption() -> None:
    examples = draw_examples(30)
    asked: list[Images] = []

    def answer(images: Images) -> tuple[Floats, Floats]:
        asked.append(images)
        sure = len(asked) == 1  # right under the first corruption, wrong under the others
        scores = np.eye(10)[examples.labels if sure else (examples.labels + 1) % 10]
        return scores, scores

    accuracies = measure_robustness(answer, examples)
    assert accuracies == {name: float(place == 0) for place, name in enumerate(CORRUPTIONS)}
    np.testing.assert_array_equal(asked[3], corrupt(examples.images, list(CORRUPTIONS)[3]))


def test_the_table_ends_with_the_mean() -> None:
    lines = robustness_table({"shot_noise": 0.98, "fog": 0.91})
    assert lines[2:] == ["| shot noise | 98.00% |", "| fog | 91.00% |", "| mean | 94.50% |"]
