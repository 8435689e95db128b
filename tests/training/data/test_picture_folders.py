from pathlib import Path

import numpy as np
import pytest

from imaging import encode_png
from training.data.picture_folders import LabelledPicture, find_pictures
from training.errors import DataError


def bar(column: int) -> bytes:
    """Draw an upright bar in ink on paper, as a PNG file."""
    page = np.full((100, 100), 255, np.uint8)
    page[20:80, column : column + 8] = 0
    return encode_png(page)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("a.png", bar(40)), ("b.png", bar(60)), ("blank.png", bar(100))):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def write_table(folder: Path, *lines: str, name: str = "labels.csv") -> None:
    (folder / name).write_text("\n".join(lines) + "\n")


def test_labels_come_from_tables(folder: Path) -> None:
    write_table(folder, "file,label,writer", "a.png,1,ann", "b.png,7,bob")
    write_table(folder, "file,why", "blank.png,nothing on it", name="others.csv")
    assert find_pictures(folder) == [
        LabelledPicture(folder / "a.png", 1, {"writer": "ann"}),
        LabelledPicture(folder / "b.png", 7, {"writer": "bob"}),
        LabelledPicture(folder / "blank.png", None, {"why": "nothing on it"}),
    ]


def test_labels_come_from_folders(tmp_path: Path) -> None:
    for name in ("7", "1", "not_a_digit", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(bar(40))
    assert [(picture.path.parent.name, picture.label) for picture in find_pictures(tmp_path)] == [
        ("1", 1),
        ("7", 7),
        ("not_a_digit", None),
    ]


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["file,label", "a.png,ten"], "line 2: the label is 'ten'"),
        (["file,label", "gone.png,1"], "gone.png is missing"),
        (["name,label", "a.png,1"], "no column 'file'"),
        (["file,label"], "holds no labelled pictures"),
        (["file,label,writer", "a.png,1,ann", "b.png"], "line 3: 1 cells; expected 3, one for each column"),
        (["file,label", "", "a.png,1,ann"], "line 3: 3 cells; expected 2.*must be quoted"),
    ],
)
def test_an_invalid_table_raises_an_error_with_its_line(folder: Path, lines: list[str], word: str) -> None:
    write_table(folder, *lines)
    with pytest.raises(DataError, match=word):
        find_pictures(folder)


def test_a_table_with_a_byte_order_mark_is_parsed(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbffile,label\r\na.png,1\r\n\r\n")
    assert find_pictures(folder) == [LabelledPicture(folder / "a.png", 1)]


@pytest.mark.parametrize(
    "content", ["file,label,writer\na.png,1,Zoë\n".encode("latin-1"), b"file,label\n" + b"a" * 200_000]
)
def test_a_table_that_cannot_be_parsed_raises_an_error(folder: Path, content: bytes) -> None:
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.csv cannot be parsed: .*\. Save it as a CSV in UTF-8\.$"):
        find_pictures(folder)


def test_a_folder_inside_a_class_folder_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "1" / "more").mkdir(parents=True)
    with pytest.raises(DataError, match=r"1/more is a folder\. Expected only pictures in the folder"):
        find_pictures(tmp_path)


def test_a_folder_without_labels_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no labelled pictures"):
        find_pictures(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_pictures(tmp_path / "none")
