from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imaging import encode_png
from training.data.examples import Images
from training.data.picture_folders import LabelledPicture
from training.errors import DataError
from training.evaluation.pictures import PicturePrediction, count_confusion, predict_pictures, summarise

THRESHOLDS: dict[str, float | None] = {"confidence": 0.5, "energy": None}


def bar(column: int) -> bytes:
    """Draw an upright bar in ink on paper, as a PNG file."""
    page = np.full((100, 100), 255, np.uint8)
    page[20:80, column : column + 8] = 0
    return encode_png(page)


def classify_ink_as_one(images: Images) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Classify any ink as a 1, and have the same probability for each digit on a blank image."""
    probabilities = np.full((len(images), 10), 0.1, np.float32)
    inked = images.reshape(len(images), -1).any(axis=1)
    probabilities[inked] = 0.01
    probabilities[inked, 1] = 0.91
    return np.log(probabilities), probabilities


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("a.png", bar(40)), ("b.png", bar(60)), ("broken.png", b"\x89PNG\r\n\x1a\nrubbish")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "blank.png").write_bytes(encode_png(np.full((50, 50), 255, np.uint8)))
    return tmp_path


def test_each_picture_has_a_prediction_or_an_error(folder: Path) -> None:
    labels = {"a.png": 1, "broken.png": 1, "b.png": 7, "blank.png": None}
    pictures = [LabelledPicture(folder / name, label) for name, label in labels.items()]
    predictions, undecodable = predict_pictures(pictures, classify_ink_as_one, THRESHOLDS)
    assert [(each.picture.path.name, each.digit, each.correct, each.abstention_reason) for each in predictions] == [
        ("a.png", 1, True, None),
        ("b.png", 1, False, None),
        ("blank.png", 0, False, "blank"),
    ]
    ((picture, reason),) = undecodable
    assert picture.path.name == "broken.png"
    assert "broken" in reason


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    predictions, ((picture, reason),) = predict_pictures(
        [LabelledPicture(tmp_path, 1)], classify_ink_as_one, THRESHOLDS
    )
    assert (predictions, picture.path) == ([], tmp_path)
    assert "Is a directory" in reason


def prediction(label: int | None, digit: int, reason: str | None, writer: str = "ann") -> PicturePrediction:
    picture = LabelledPicture(Path("x.png"), label, {"writer": writer})
    return PicturePrediction(picture, np.zeros((28, 28), np.uint8), digit, 0.9, reason)


def test_a_summary_counts_correct_predictions_and_abstentions() -> None:
    predictions = [
        prediction(1, 1, None),
        prediction(1, 7, "unsure"),
        prediction(2, 3, None, "bob"),
        prediction(None, 4, "blank"),
    ]
    everything, ann, bob = summarise(predictions, "writer")
    assert everything == (
        "all: digits: 1 of 3 (33.3%) right, 1 of 3 (33.3%) abstained on, of the rest 1 of 2 (50.0%) right, "
        "no digits: 1 of 1 (100.0%) abstained on"
    )
    assert ann.startswith("ann: digits: 1 of 2 (50.0%) right")
    assert bob.startswith("bob: digits: 0 of 1 (0.0%) right, 0 of 1")
    assert summarise(predictions) == [everything]


def test_a_missing_column_raises_an_error_with_the_existing_columns() -> None:
    with pytest.raises(DataError, match="Columns: writer"):
        summarise([prediction(1, 1, None)], "kind")


def test_the_confusion_counts_have_true_digits_as_rows() -> None:
    counts = count_confusion([prediction(2, 3, None), prediction(2, 3, "unsure"), prediction(None, 4, None)])
    assert counts[2, 3] == counts.sum() == 2
