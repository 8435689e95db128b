"""The accuracy of a model under each corruption. Knows a model only as a function from images to probabilities."""

from collections.abc import Callable, Mapping

import numpy as np

from training.data.corruptions import CORRUPTIONS, UNLIKE_TRAINING, corrupt
from training.data.examples import Examples
from training.evaluation.metrics import Classifier, accuracy


def measure_robustness(
    classify: Classifier, examples: Examples, on_stage: Callable[[str], None] = lambda _stage: None
) -> dict[str, float]:
    """Return the accuracy on the examples under each corruption, by the name of the corruption.

    `on_stage` is called before each corruption, with what is measured.
    """
    accuracies = {}
    for name in CORRUPTIONS:
        on_stage(f"measuring the accuracy under {name.replace('_', ' ')}")
        accuracies[name] = accuracy(classify(corrupt(examples.images, name))[1], examples.labels)
    return accuracies


def robustness_table(accuracies: Mapping[str, float]) -> list[str]:
    """Return the lines of a Markdown table: a row for each corruption, and the means.

    The mean of the corruptions that resemble no transformation of the training images has a row of its own.
    """
    unlike = {name: share for name, share in accuracies.items() if name in UNLIKE_TRAINING}
    rows = {
        **{name.replace("_", " ") + (" *" if name in unlike else ""): share for name, share in accuracies.items()},
        "mean": np.mean(list(accuracies.values())),
        "mean of those that resemble no transformation in training (*)": np.mean(list(unlike.values())),
    }
    return ["| corruption | right |", "|---|---:|", *(f"| {name} | {share:.2%} |" for name, share in rows.items())]
