"""Pictures of what training sees and learns. Knows arrays and numbers only; where a figure is kept is the caller's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from imaging import decode
from training.data import Examples
from training.errors import DataError
from training.evaluate import softmax
from training.pictures import Verdict

INK_ON_PAPER = "gray_r"
SHEET_PIXELS = 160
"""About how long the longer side of a picture is on a contact sheet."""


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
    loss.plot(iterations, [point["loss"] for point in history], ".-", color="tab:blue")
    loss.set(title="Training loss", xlabel="iteration", ylabel="mean cross-entropy (nats)")
    errors = [100 * (1 - point["validation_accuracy"]) for point in history]
    error.plot(iterations, errors, ".-", color="tab:orange")
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
    figure = Figure(figsize=(9, 4.3), layout="constrained")
    figure.suptitle("Ink on blue speaks for the digit, on red against it")
    for digit, axes in enumerate(figure.subplots(2, 5).flat):
        axes.imshow(weights[:, digit].reshape(28, 28), cmap="RdBu", vmin=-reach, vmax=reach)
        axes.set_title(str(digit))
        axes.set_axis_off()
    return figure


def draw_scores(logits: npt.NDArray[np.float32]) -> Figure:
    """Draw the ten logits of one image, and beside them the probabilities that they come to."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    scores, shares = figure.subplots(1, 2)
    scores.bar(range(10), logits, color="tab:blue")
    scores.axhline(0, color="black", linewidth=0.8)
    scores.set(title="Logits", xlabel="digit", ylabel="score", xticks=range(10))
    shares.bar(range(10), softmax(logits[np.newaxis])[0], color="tab:orange")
    shares.set(title="Probabilities", xlabel="digit", ylabel="probability", xticks=range(10), ylim=(0, 1))
    return figure


def draw_answers(examples: Examples, probabilities: npt.NDArray[np.float32], indices: Sequence[int]) -> Figure:
    """Draw the images at some indices, each under its label and what it was read as: probabilities (n, 10)."""
    columns = 8
    rows = -(-len(indices) // columns)
    figure = Figure(figsize=(1.3 * columns, 1.7 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, indices, strict=False):
        axes.imshow(examples.images[index], cmap=INK_ON_PAPER, vmin=0, vmax=255)
        digit, confidence = probabilities[index].argmax(), probabilities[index].max()
        right = digit == examples.labels[index]
        title = f"label {examples.labels[index]}\nread as {digit}, {confidence:.0%}"
        axes.set_title(title, fontsize=8, color="black" if right else "tab:red")
    return figure


def draw_maps(maps: Mapping[str, npt.NDArray[np.float32]]) -> Figure:
    """Draw maps of features, (h, w) each, side by side under their names: blue above nought, red below, white at it."""
    figure = Figure(figsize=(2.1 * len(maps), 2.6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        reach = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap="RdBu", vmin=-reach, vmax=reach)
        axes.set(title=name, xlabel="column", ylabel="row")
    return figure


def draw_contact_sheet(verdicts: Sequence[Verdict]) -> Figure:
    """Draw pictures as they came in and as the model saw them, under what it said and, in brackets, what was right."""
    columns = 8
    rows = -(-len(verdicts) // columns)
    figure = Figure(figsize=(1.9 * columns, 1.25 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, verdict in zip(figure.axes, verdicts, strict=False):
        axes.imshow(_side_by_side(verdict))
        truth = "no digit" if verdict.picture.label is None else verdict.picture.label
        said = f"{verdict.digit} {verdict.confidence:.0%} {verdict.reason or ''}"
        good = verdict.right if verdict.reason is None else verdict.picture.label is None
        axes.set_title(f"{said} [{truth}]", fontsize=7, color="black" if good else "tab:red")
    return figure


def _side_by_side(verdict: Verdict) -> npt.NDArray[np.uint8]:
    pixels = decode(verdict.picture.path.read_bytes())
    colours = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    step = max(1, max(colours.shape[:2]) // SHEET_PIXELS)
    came = colours[::step, ::step]
    seen = np.kron(255 - verdict.image, np.ones((4, 4), np.uint8))
    height = max(came.shape[0], seen.shape[0])
    sheet = np.full((height, came.shape[1] + 8 + seen.shape[1], 3), 255, np.uint8)
    sheet[: came.shape[0], : came.shape[1]] = came
    sheet[: seen.shape[0], -seen.shape[1] :] = seen[..., np.newaxis]
    return sheet
