"""Finds the labelled pictures of a folder: files listed in CSVs, or sorted into a folder for each class."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import DataError

NOT_A_DIGIT_CLASS = "not_a_digit"
"""The class of pictures that show no digit, in CSVs and as the name of a folder."""
LABEL_OF_CLASS = {**{str(digit): digit for digit in range(10)}, NOT_A_DIGIT_CLASS: None, "": None}


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and the digit it shows. The label None means that it shows no digit."""

    path: Path
    label: int | None
    columns: dict[str, str] = field(default_factory=dict)
    """The other columns of its row in the CSV, such as the writer."""


def find_pictures(folder: Path) -> list[LabelledPicture]:
    """Find the pictures of a folder and their labels.

    The folder has one of two layouts:

    - CSV files with a column `file`, a path relative to the folder, and a column `label`, 0 to 9 or `not_a_digit`.
      Without a column `label`, no picture shows a digit.
    - One folder for each class, named 0 to 9 or `not_a_digit`.

    Raises DataError if the folder has neither layout, if a CSV cannot be parsed or names a missing file or an unknown
    class, or if the folder of a class contains a folder.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder. Expected a folder of pictures."
        raise DataError(msg)
    tables = sorted(folder.glob("*.csv"))
    pictures = list(_from_tables(folder, tables) if tables else _from_class_folders(folder))
    if not pictures:
        msg = (
            f"{folder} holds no labelled pictures. Expected a CSV with the columns file and label, or a folder "
            f"for each class, named 0 to 9 or {NOT_A_DIGIT_CLASS}."
        )
        raise DataError(msg)
    return pictures


def _from_tables(folder: Path, tables: Sequence[Path]) -> Iterator[LabelledPicture]:
    for table in tables:
        for line, row in _rows(table):
            label = row.pop("label", NOT_A_DIGIT_CLASS)
            path = folder / row.pop("file")
            if label not in LABEL_OF_CLASS:
                msg = f"{table}, line {line}: the label is '{label}'; expected 0 to 9 or {NOT_A_DIGIT_CLASS}."
                raise DataError(msg)
            if not path.is_file():
                msg = f"{table}, line {line}: {path} is missing. Add the file, or remove the line."
                raise DataError(msg)
            yield LabelledPicture(path, LABEL_OF_CLASS[label], row)


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells, by column, of each row of a CSV."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:  # some programs write a byte order mark first
            lines = csv.reader(file)
            columns = next(lines, [])
            if "file" not in columns:
                msg = f"{table} has no column 'file'. The first line must name the columns, file and label among them."
                raise DataError(msg)
            for cells in filter(None, lines):
                if len(cells) != len(columns):
                    msg = (
                        f"{table}, line {lines.line_num}: {len(cells)} cells; expected {len(columns)}, one for each "
                        "column of the first line. A cell that contains a comma must be quoted."
                    )
                    raise DataError(msg)
                yield lines.line_num, dict(zip(columns, cells, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{table} cannot be parsed: {error}. Save it as a CSV in UTF-8."
        raise DataError(msg) from error


def _from_class_folders(folder: Path) -> Iterator[LabelledPicture]:
    for name, label in LABEL_OF_CLASS.items():
        if name and (folder / name).is_dir():
            files = sorted(path for path in (folder / name).iterdir() if not path.name.startswith("."))
            for path in files:
                if path.is_dir():
                    msg = f"{path} is a folder. Expected only pictures in the folder of a class. Move it elsewhere."
                    raise DataError(msg)
                yield LabelledPicture(path, label)
