"""How a model's accuracy holds under each kind of corruption. Knows a model only as a function of images."""

from collections.abc import Mapping

import numpy as np

from training.corruptions import CORRUPTIONS, corrupt
from training.data import Examples
from training.evaluate import accuracy
from training.pictures import Answer


def measure_robustness(answer: Answer, examples: Examples) -> dict[str, float]:
    """Give the share of the examples that is read right under each corruption, by its name."""
    return {name: accuracy(answer(corrupt(examples.images, name))[1], examples.labels) for name in CORRUPTIONS}


def robustness_table(accuracies: Mapping[str, float]) -> list[str]:
    """Give the lines of a table, as Markdown: a row for each corruption, then their mean."""
    rows = [f"| {name.replace('_', ' ')} | {share:.2%} |" for name, share in accuracies.items()]
    return ["| corruption | right |", "|---|---:|", *rows, f"| mean | {np.mean(list(accuracies.values())):.2%} |"]
