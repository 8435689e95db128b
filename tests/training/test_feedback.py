import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from imaging import encode_png
from training.data import NOT_A_DIGIT, Images
from training.errors import DataError
from training.feedback import is_store, read_store


def draw(seed: int) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def name(image: Images) -> str:
    return f"{hashlib.sha256(image.tobytes()).hexdigest()}.png"


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a store of an image each of a 7 and of no digit, and of what is no part of it."""
    address = str(tmp_path / "store") if request.param == "folder" else "memory://corrections/store"
    files, root = fsspec.core.url_to_fs(address)
    files.makedirs(f"{root}/7")
    files.makedirs(f"{root}/not_a_digit")
    files.pipe_file(f"{root}/feedback.json", json.dumps({"format": 1}).encode())
    files.pipe_file(f"{root}/7/{name(draw(1))}", encode_png(draw(1)))
    files.pipe_file(f"{root}/not_a_digit/{name(draw(2))}", encode_png(draw(2)))
    files.pipe_file(f"{root}/7/.{name(draw(3))}", b"half")
    yield address
    files.rm(root, recursive=True)


def test_images_come_as_they_were_seen(address: str) -> None:
    assert is_store(address)
    images, faults = read_store(address)
    assert {each.label: each.image.tolist() for each in images} == {7: draw(1).tolist(), NOT_A_DIGIT: draw(2).tolist()}
    assert faults == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is passed over"),
        (b"rubbish", "is passed over"),
        (encode_png(draw(4))[:300], "is passed over"),
        (encode_png(draw(5)), "not the image that its name says"),
        (encode_png(np.zeros((5, 5), np.uint8)), "not the image that its name says"),
    ],
)
def test_a_corrupt_file_is_passed_over_and_named(address: str, content: bytes, word: str) -> None:
    files, root = fsspec.core.url_to_fs(address)
    files.pipe_file(f"{root}/7/{name(draw(4))}", content)
    images, (fault,) = read_store(address)
    assert len(images) == 2
    assert name(draw(4)) in fault
    assert word in fault


def test_a_folder_without_the_marker_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert not is_store(str(tmp_path))
    assert not is_store(str(tmp_path / "nowhere"))


def test_an_empty_store_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text('{"format": 1}')
    assert is_store(str(tmp_path))
    assert read_store(str(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    ("address", "word"), [("tape://corrections", "tape"), ("memory://corrections/later", "format 2")]
)
def test_what_cannot_be_read_is_explained(address: str, word: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/corrections/later/feedback.json", b'{"format": 2}')
    with pytest.raises(DataError, match=word):
        is_store(address)
    memory.rm("/corrections/later", recursive=True)


def test_a_broken_marker_is_explained(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        is_store(str(tmp_path))
