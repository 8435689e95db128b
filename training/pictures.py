"""Judges a model by a folder of anyone's own pictures, read as the service reads them. Knows no TensorFlow."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imaging import PictureError, PreprocessedPicture, preprocess_picture
from training.data import Images
from training.errors import DataError
from training.evaluate import doubts

NO_DIGIT = "not_a_digit"
"""The class of pictures that show no digit, as CSVs and folders name it."""
CLASSES = {**{str(digit): digit for digit in range(10)}, NO_DIGIT: None, "": None}

Answer = Callable[[Images], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
"""From images, uint8 (n, 28, 28), to logits and probabilities, float32 (n, 10) each."""


@dataclass(frozen=True)
class Picture:
    """A picture file and the digit it shows; None: it shows no digit."""

    path: Path
    label: int | None
    columns: dict[str, str] = field(default_factory=dict)
    """What else its row in the CSV says, such as who wrote it."""


@dataclass(frozen=True)
class Verdict:
    """What a model said of a picture."""

    picture: Picture
    image: npt.NDArray[np.uint8]  # [28, 28]
    digit: int
    confidence: float
    reason: str | None
    """Why the answer is not to be trusted, if it is not."""

    @property
    def right(self) -> bool:
        """Whether the best guess is the label."""
        return self.digit == self.picture.label


def find_pictures(folder: Path) -> list[Picture]:
    """Find the pictures of a folder with their labels.

    Either the folder holds CSV files with a column `file`, relative to the folder, and a column `label`, 0 to 9 or
    `not_a_digit` (without that column, no picture shows a digit); or it holds a folder for each class, named so.

    Raises DataError if it holds neither, if a CSV cannot be read or names a file or a class that there is not, or if a
    class has folders of its own.
    """
    if not folder.is_dir():
        msg = f"{folder} is no folder. Name one that holds pictures."
        raise DataError(msg)
    tables = sorted(folder.glob("*.csv"))
    pictures = list(_listed(folder, tables) if tables else _sorted_into_folders(folder))
    if not pictures:
        msg = (
            f"{folder} holds no labelled pictures. Expected a CSV with the columns file and label, or a folder "
            f"for each class, named 0 to 9 or {NO_DIGIT}."
        )
        raise DataError(msg)
    return pictures


def _listed(folder: Path, tables: Sequence[Path]) -> Iterator[Picture]:
    for table in tables:
        for line, row in _rows(table):
            label = row.pop("label", NO_DIGIT)
            path = folder / row.pop("file")
            if label not in CLASSES:
                msg = f"{table}, line {line}: the label is '{label}'; expected 0 to 9 or {NO_DIGIT}."
                raise DataError(msg)
            if not path.is_file():
                msg = f"{table}, line {line}: {path} is missing. Put it there, or remove the line."
                raise DataError(msg)
            yield Picture(path, CLASSES[label], row)


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV, each with the number of its line and a cell for each column."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:  # some programs write a byte order mark first
            lines = csv.reader(file)
            columns = next(lines, [])
            if "file" not in columns:
                msg = f"{table} has no column 'file'. Its first line must name the columns, file and label among them."
                raise DataError(msg)
            for cells in filter(None, lines):
                if len(cells) != len(columns):
                    msg = (
                        f"{table}, line {lines.line_num}: {len(cells)} cells; expected {len(columns)}, one for each "
                        "column that the first line names. A cell with a comma in it must stand in quotes."
                    )
                    raise DataError(msg)
                yield lines.line_num, dict(zip(columns, cells, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{table} cannot be read: {error}. Save it as a CSV in UTF-8."
        raise DataError(msg) from error


def _sorted_into_folders(folder: Path) -> Iterator[Picture]:
    for name, label in CLASSES.items():
        if name and (folder / name).is_dir():
            files = sorted(path for path in (folder / name).iterdir() if not path.name.startswith("."))
            for path in files:
                if path.is_dir():
                    msg = f"{path} is a folder. Expected only pictures in the folder of a class. Move it away."
                    raise DataError(msg)
                yield Picture(path, label)


def judge(
    pictures: Sequence[Picture], answer: Answer, abstention: dict[str, float | None]
) -> tuple[list[Verdict], list[tuple[Picture, str]]]:
    """Have a model read pictures; gives its verdicts, and the pictures that could not be read, each with the reason."""
    readings: list[tuple[Picture, PreprocessedPicture]] = []
    unreadable = []
    for picture in pictures:
        try:
            readings.append((picture, preprocess_picture(picture.path.read_bytes())))
        except (PictureError, OSError) as error:
            unreadable.append((picture, str(error)))
    if not readings:
        return [], unreadable
    logits, probabilities = answer(np.stack([reading.image for _, reading in readings]))
    verdicts = [
        Verdict(picture, reading.image, int(row.argmax()), float(row.max()), reading.finding or doubt)
        for (picture, reading), row, doubt in zip(
            readings, probabilities, doubts(logits, probabilities, abstention), strict=True
        )
    ]
    return verdicts, unreadable


def summarise(verdicts: Sequence[Verdict], column: str | None = None) -> list[str]:
    """Say in lines how well pictures were read; with a column of the CSV, also for each of its values.

    Raises DataError if no picture has that column.
    """
    lines = [_summarise_one("all", verdicts)]
    if column is None:
        return lines
    groups = defaultdict(list)
    for verdict in verdicts:
        if column in verdict.picture.columns:
            groups[verdict.picture.columns[column]].append(verdict)
    if not groups:
        msg = f"No CSV has a column '{column}'. Columns: {', '.join(sorted(_columns(verdicts))) or 'none'}."
        raise DataError(msg)
    return lines + [_summarise_one(name, groups[name]) for name in sorted(groups)]


def _columns(verdicts: Sequence[Verdict]) -> set[str]:
    return {name for verdict in verdicts for name in verdict.picture.columns}


def _summarise_one(name: str, verdicts: Sequence[Verdict]) -> str:
    digits = [verdict for verdict in verdicts if verdict.picture.label is not None]
    trusted = [verdict for verdict in digits if verdict.reason is None]
    others = [verdict for verdict in verdicts if verdict.picture.label is None]
    parts = []
    if digits:
        parts.append(f"digits: {_share([verdict.right for verdict in digits])} right")
        parts.append(f"{_share([verdict.reason is not None for verdict in digits])} abstained on")
    if trusted:
        parts.append(f"of the rest {_share([verdict.right for verdict in trusted])} right")
    if others:
        parts.append(f"no digits: {_share([verdict.reason is not None for verdict in others])} abstained on")
    return f"{name}: " + ", ".join(parts)


def _share(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)} ({sum(flags) / len(flags):.1%})"


def confusion(verdicts: Sequence[Verdict]) -> npt.NDArray[np.int64]:
    """Count the answers where there is a digit, (10, 10): the row is the true digit, the column the answer."""
    counts = np.zeros((10, 10), np.int64)
    for verdict in verdicts:
        if verdict.picture.label is not None:
            counts[verdict.picture.label, verdict.digit] += 1
    return counts
