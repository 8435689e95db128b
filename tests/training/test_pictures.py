from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imaging import encode_png
from training.data import Images
from training.errors import DataError
from training.pictures import Picture, Verdict, confusion, find_pictures, judge, summarise

ABSTENTION: dict[str, float | None] = {"confidence": 0.5, "energy": None}


def bar(column: int) -> bytes:
    """Draw an upright bar in ink on paper, as a PNG file."""
    page = np.full((100, 100), 255, np.uint8)
    page[20:80, column : column + 8] = 0
    return encode_png(page)


def tell_blank_from_ink(images: Images) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Be a model that takes all ink for a 1, and is unsure where there is none."""
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


def write_table(folder: Path, *lines: str, name: str = "labels.csv") -> None:
    (folder / name).write_text("\n".join(lines) + "\n")


def test_labels_come_from_tables(folder: Path) -> None:
    write_table(folder, "file,label,writer", "a.png,1,ann", "b.png,7,bob")
    write_table(folder, "file,why", "blank.png,nothing on it", name="others.csv")
    assert find_pictures(folder) == [
        Picture(folder / "a.png", 1, {"writer": "ann"}),
        Picture(folder / "b.png", 7, {"writer": "bob"}),
        Picture(folder / "blank.png", None, {"why": "nothing on it"}),
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
        (["file,label", "", "a.png,1,ann"], "line 3: 3 cells; expected 2.*must stand in quotes"),
    ],
)
def test_a_bad_table_is_explained(folder: Path, lines: list[str], word: str) -> None:
    write_table(folder, *lines)
    with pytest.raises(DataError, match=word):
        find_pictures(folder)


def test_a_table_as_spreadsheets_save_it_is_read(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbffile,label\r\na.png,1\r\n\r\n")
    assert find_pictures(folder) == [Picture(folder / "a.png", 1)]


@pytest.mark.parametrize(
    "content", ["file,label,writer\na.png,1,Zoë\n".encode("latin-1"), b"file,label\n" + b"a" * 200_000]
)
def test_a_table_that_cannot_be_read_is_explained(folder: Path, content: bytes) -> None:
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.csv cannot be read: .*\. Save it as a CSV in UTF-8\.$"):
        find_pictures(folder)


def test_a_folder_in_a_class_is_explained(tmp_path: Path) -> None:
    (tmp_path / "1" / "more").mkdir(parents=True)
    with pytest.raises(DataError, match=r"1/more is a folder\. Expected only pictures in the folder"):
        find_pictures(tmp_path)


def test_a_folder_without_labels_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no labelled pictures"):
        find_pictures(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        find_pictures(tmp_path / "none")


def test_each_picture_gets_a_verdict_or_the_reason_why_not(folder: Path) -> None:
    write_table(folder, "file,label", "a.png,1", "broken.png,1", "b.png,7", "blank.png,")
    verdicts, unreadable = judge(find_pictures(folder), tell_blank_from_ink, ABSTENTION)
    assert [(verdict.picture.path.name, verdict.digit, verdict.right, verdict.reason) for verdict in verdicts] == [
        ("a.png", 1, True, None),
        ("b.png", 1, False, None),
        ("blank.png", 0, False, "blank"),
    ]
    ((picture, reason),) = unreadable
    assert picture.path.name == "broken.png"
    assert "broken" in reason


def test_a_file_that_may_not_be_read_is_told_with_the_others(tmp_path: Path) -> None:
    verdicts, ((picture, reason),) = judge([Picture(tmp_path, 1)], tell_blank_from_ink, ABSTENTION)
    assert (verdicts, picture.path) == ([], tmp_path)
    assert "Is a directory" in reason


def verdict(label: int | None, digit: int, reason: str | None, writer: str = "ann") -> Verdict:
    picture = Picture(Path("x.png"), label, {"writer": writer})
    return Verdict(picture, np.zeros((28, 28), np.uint8), digit, 0.9, reason)


def test_a_summary_counts_what_was_right_and_what_was_abstained_on() -> None:
    verdicts = [verdict(1, 1, None), verdict(1, 7, "unsure"), verdict(2, 3, None, "bob"), verdict(None, 4, "blank")]
    everything, ann, bob = summarise(verdicts, "writer")
    assert everything == (
        "all: digits: 1 of 3 (33.3%) right, 1 of 3 (33.3%) abstained on, of the rest 1 of 2 (50.0%) right, "
        "no digits: 1 of 1 (100.0%) abstained on"
    )
    assert ann.startswith("ann: digits: 1 of 2 (50.0%) right")
    assert bob.startswith("bob: digits: 0 of 1 (0.0%) right, 0 of 1")
    assert summarise(verdicts) == [everything]


def test_a_column_that_there_is_not_is_answered_with_those_there_are() -> None:
    with pytest.raises(DataError, match="Columns: writer"):
        summarise([verdict(1, 1, None)], "kind")


def test_confusion_has_the_truth_in_rows() -> None:
    counts = confusion([verdict(2, 3, None), verdict(2, 3, "unsure"), verdict(None, 4, None)])
    assert counts[2, 3] == counts.sum() == 2
