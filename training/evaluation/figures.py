"""Figures of images, training curves, confusion, weights and predictions. Writes no files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from imaging import decode
from training.data.examples import Examples
from training.errors import DataError
from training.evaluation.metrics import softmax
from training.evaluation.pictures import PicturePrediction

INK_ON_PAPER = "gray_r"
SIGNED = "gray"
"""For values of both signs: white is positive, black negative. It needs no colours, so it can be printed."""
SHEET_PIXELS = 160
"""The approximate length of the longer side of a picture on a contact sheet."""


def draw_images(examples: Examples, indices: Sequence[int]) -> Figure:
    """Draw the images at 0-based indices side by side, with their labels and indices.

    Raises DataError if an index is out of range.
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
    """Draw the training curves, given as the `history` of `model.json`: the loss and the validation error.

    The loss of a point is the mean since the point before. If the last one has fewer iterations than the others, its
    loss is left out: a mean of a few batches is mostly noise.
    """
    iterations = [point["iteration"] for point in history]
    whole = [point for point in history if point["iteration"] % iterations[0] == 0]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    loss, error = figure.subplots(1, 2)
    loss.plot([point["iteration"] for point in whole], [point["loss"] for point in whole], ".-", color="black")
    loss.set(title="Training loss", xlabel="iteration", ylabel="mean cross-entropy (nats)")
    error.plot(iterations, [100 * (1 - point["validation_accuracy"]) for point in history], ".-", color="black")
    error.set(title="Validation error", xlabel="iteration", ylabel="misclassified digits (%)")
    for axes in (loss, error):
        axes.set(xlim=(0, None), ylim=(0, None))
        axes.grid(visible=True, alpha=0.3)
    return figure


def draw_confusion(confusion: Sequence[Sequence[int]]) -> Figure:
    """Draw a 10 x 10 confusion matrix. Only the errors are coloured, as the correct predictions are far more."""
    counts = np.array(confusion)
    errors = counts * (1 - np.eye(10, dtype=int))
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(errors, cmap="Oranges", vmax=max(1, 1.5 * errors.max()))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            weight = "bold" if row == column else "normal"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=9, weight=weight)
    axes.set(title="Confusion", xlabel="predicted digit", ylabel="true digit", xticks=range(10), yticks=range(10))
    return figure


def draw_weight_images(weights: npt.NDArray[np.float32]) -> Figure:
    """Draw the weights of each digit, the columns of (784, 10): white is positive, black is negative, grey is 0."""
    limit = float(np.abs(weights).max())
    figure = Figure(figsize=(9, 4.3), layout="constrained")
    figure.suptitle("Weights of each digit: white is positive, black is negative, grey is 0")
    for digit, axes in enumerate(figure.subplots(2, 5).flat):
        axes.imshow(weights[:, digit].reshape(28, 28), cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set_title(str(digit))
        axes.set_axis_off()
    return figure


def draw_scores(logits: npt.NDArray[np.float32]) -> Figure:
    """Draw the ten logits of one image, (10,), and its probabilities."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    scores, probabilities = figure.subplots(1, 2)
    scores.bar(range(10), logits, color="grey")
    scores.axhline(0, color="black", linewidth=0.8)
    scores.set(title="Logits", xlabel="digit", ylabel="score", xticks=range(10))
    probabilities.bar(range(10), softmax(logits[np.newaxis])[0], color="grey")
    probabilities.set(title="Probabilities", xlabel="digit", ylabel="probability", xticks=range(10), ylim=(0, 1))
    return figure


def draw_predictions(examples: Examples, probabilities: npt.NDArray[np.float32], indices: Sequence[int]) -> Figure:
    """Draw the images at some indices with their labels and predictions, given probabilities (n, 10)."""
    columns = 8
    rows = -(-len(indices) // columns)
    figure = Figure(figsize=(1.3 * columns, 1.7 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, indices, strict=False):
        axes.imshow(examples.images[index], cmap=INK_ON_PAPER, vmin=0, vmax=255)
        digit, confidence = probabilities[index].argmax(), probabilities[index].max()
        correct = digit == examples.labels[index]
        title = f"label {examples.labels[index]}\npredicted {digit}, {confidence:.0%}"
        axes.set_title(title, fontsize=8, color="black" if correct else "tab:red")
    return figure


def draw_feature_maps(maps: Mapping[str, npt.NDArray[np.float32]]) -> Figure:
    """Draw feature maps, (h, w) each, side by side with their names: white is positive, black negative, grey 0."""
    figure = Figure(figsize=(2.1 * len(maps), 2.6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        limit = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set(title=name, xlabel="column", ylabel="row")
    return figure


def draw_contact_sheet(predictions: Sequence[PicturePrediction]) -> Figure:
    """Draw each picture beside its preprocessed image, with the prediction and, in brackets, the label."""
    columns = 8
    rows = -(-len(predictions) // columns)
    figure = Figure(figsize=(1.9 * columns, 1.25 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, prediction in zip(figure.axes, predictions, strict=False):
        axes.imshow(_side_by_side(prediction))
        label, reason = prediction.picture.label, prediction.abstention_reason
        predicted = f"{prediction.digit} {prediction.confidence:.0%} {reason or ''}"
        correct = prediction.correct if reason is None else label is None
        title = f"{predicted} [{'no digit' if label is None else label}]"
        axes.set_title(title, fontsize=7, color="black" if correct else "tab:red")
    return figure


def _side_by_side(prediction: PicturePrediction) -> npt.NDArray[np.uint8]:
    """Return the picture, reduced in size, and the enlarged 28 x 28 image, as one RGB image."""
    pixels = decode(prediction.picture.path.read_bytes())
    colours = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    step = max(1, max(colours.shape[:2]) // SHEET_PIXELS)
    picture = colours[::step, ::step]
    image = np.kron(255 - prediction.image, np.ones((4, 4), np.uint8))
    height = max(picture.shape[0], image.shape[0])
    combined = np.full((height, picture.shape[1] + 8 + image.shape[1], 3), 255, np.uint8)
    combined[: picture.shape[0], : picture.shape[1]] = picture
    combined[: image.shape[0], -image.shape[1] :] = image[..., np.newaxis]
    return combined
