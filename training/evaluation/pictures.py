"""Evaluates a model on labelled pictures, which are preprocessed as in the service. Does not import TensorFlow."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging import PictureError, PreprocessedPicture, preprocess_picture
from training.data.picture_folders import LabelledPicture
from training.errors import DataError
from training.evaluation.abstention import abstention_reasons
from training.evaluation.metrics import Classifier


@dataclass(frozen=True)
class PicturePrediction:
    """The prediction of a model for a picture."""

    picture: LabelledPicture
    image: npt.NDArray[np.uint8]  # [28, 28]
    digit: int
    confidence: float
    abstention_reason: str | None
    """Why the model abstains, or None if it does not."""

    @property
    def correct(self) -> bool:
        """Whether the most likely digit is the label."""
        return self.digit == self.picture.label


def predict_pictures(
    pictures: Sequence[LabelledPicture], classify: Classifier, thresholds: dict[str, float | None]
) -> tuple[list[PicturePrediction], list[tuple[LabelledPicture, str]]]:
    """Classify pictures. Return the predictions, and each picture that could not be decoded with the reason."""
    preprocessed: list[tuple[LabelledPicture, PreprocessedPicture]] = []
    undecodable = []
    for picture in pictures:
        try:
            preprocessed.append((picture, preprocess_picture(picture.path.read_bytes())))
        except (PictureError, OSError) as error:
            undecodable.append((picture, str(error)))
    if not preprocessed:
        return [], undecodable
    logits, probabilities = classify(np.stack([each.image for _, each in preprocessed]))
    predictions = [
        PicturePrediction(picture, each.image, int(row.argmax()), float(row.max()), each.finding or reason)
        for (picture, each), row, reason in zip(
            preprocessed, probabilities, abstention_reasons(logits, probabilities, thresholds), strict=True
        )
    ]
    return predictions, undecodable


def summarise(predictions: Sequence[PicturePrediction], column: str | None = None) -> list[str]:
    """Return lines with the accuracy and the abstentions, for all pictures and for each value of a column of the CSV.

    Raises DataError if no picture has the column.
    """
    lines = [_summarise_group("all", predictions)]
    if column is None:
        return lines
    groups = defaultdict(list)
    for prediction in predictions:
        if column in prediction.picture.columns:
            groups[prediction.picture.columns[column]].append(prediction)
    if not groups:
        columns = sorted({name for prediction in predictions for name in prediction.picture.columns})
        msg = f"No CSV has a column '{column}'. Columns: {', '.join(columns) or 'none'}."
        raise DataError(msg)
    return lines + [_summarise_group(name, groups[name]) for name in sorted(groups)]


def _summarise_group(name: str, predictions: Sequence[PicturePrediction]) -> str:
    digits = [each for each in predictions if each.picture.label is not None]
    accepted = [each for each in digits if each.abstention_reason is None]
    non_digits = [each for each in predictions if each.picture.label is None]
    parts = []
    if digits:
        parts.append(f"digits: {_share([each.correct for each in digits])} right")
        parts.append(f"{_share([each.abstention_reason is not None for each in digits])} abstained on")
    if accepted:
        parts.append(f"of the rest {_share([each.correct for each in accepted])} right")
    if non_digits:
        parts.append(f"no digits: {_share([each.abstention_reason is not None for each in non_digits])} abstained on")
    return f"{name}: " + ", ".join(parts)


def _share(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)} ({sum(flags) / len(flags):.1%})"


def count_confusion(predictions: Sequence[PicturePrediction]) -> npt.NDArray[np.int64]:
    """Count the predictions for pictures of digits, (10, 10). Rows are true digits, columns are predicted digits."""
    counts = np.zeros((10, 10), np.int64)
    for prediction in predictions:
        if prediction.picture.label is not None:
            counts[prediction.picture.label, prediction.digit] += 1
    return counts
