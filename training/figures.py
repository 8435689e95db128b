"""Pictures of what training sees and learns. Knows arrays and numbers only; where a figure is kept is the caller's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from training.data import Examples
from training.errors import DataError

INK_ON_PAPER = "gray_r"


def show_sample(examples: Examples, indices: Sequence[int]) -> Figure:
    """Draw the images at some 0-based indices side by side, each under its label and index.

    Raises DataError if there is no image at an index.
    """
    for index in indices:
        if not 0 <= index < len(examples):
            msg = f"There is no image {index}: this part of MNIST has 0 to {len(examples) - 1}."
            raise DataError(msg)
    figure = Figure(figsize=(1.6 * len(indices), 2), layout="constrained")
    for axes, index in zip(figure.subplots(1, len(indices), squeeze=False)[0], indices, strict=True):
        axes.imshow(examples.images[index], cmap=INK_ON_PAPER, vmin=0, vmax=255)
        axes.set_title(f"{examples.labels[index]}   (#{index})", fontsize=10)
        axes.set_axis_off()
    return figure


def draw_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Draw the loss and the validation error over the iterations: history as `model.json` has it."""
    iterations = [point["iteration"] for point in history]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    loss, error = figure.subplots(1, 2)
    loss.plot(iterations, [point["loss"] for point in history], color="tab:blue")
    loss.set(title="Training loss", xlabel="iteration", ylabel="mean cross-entropy (nats)")
    errors = [100 * (1 - point["validation_accuracy"]) for point in history]
    error.plot(iterations, errors, color="tab:orange")
    error.set(title="Validation error", xlabel="iteration", ylabel="digits read wrong (%)")
    error.set_yscale("log" if min(errors) > 0 else "linear")
    error.yaxis.set_major_formatter("{x:g}")
    error.yaxis.set_minor_formatter("{x:g}")
    for axes in (loss, error):
        axes.grid(visible=True, which="both", alpha=0.3)
    return figure


def draw_confusion(confusion: Sequence[Sequence[int]]) -> Figure:
    """Draw the 10 x 10 counts; the colour shows the mistakes, which the right answers would outshine."""
    counts = np.array(confusion)
    mistakes = counts * (1 - np.eye(10, dtype=int))
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(mistakes, cmap="Oranges", vmax=max(1, 1.5 * mistakes.max()))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            weight = "bold" if row == column else "normal"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=9, weight=weight)
    axes.set(title="Confusion", xlabel="answer", ylabel="true digit", xticks=range(10), yticks=range(10))
    return figure


def draw_weight_images(weights: npt.NDArray[np.float32]) -> Figure:
    """Draw what each digit's weights, a column of (784, 10), look for: blue speaks for the digit, red against it."""
    reach = float(np.abs(weights).max())
    figure = Figure(figsize=(9, 4), layout="constrained")
    for digit, axes in enumerate(figure.subplots(2, 5).flat):
        axes.imshow(weights[:, digit].reshape(28, 28), cmap="RdBu", vmin=-reach, vmax=reach)
        axes.set_title(str(digit))
        axes.set_axis_off()
    return figure
