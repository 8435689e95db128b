import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from imaging import encode_png
from training.data.examples import NOT_A_DIGIT, Images
from training.data.feedback import is_feedback_store, load_feedback
from training.errors import DataError


def draw(seed: int) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def name(image: Images) -> str:
    return f"{hashlib.sha256(image.tobytes()).hexdigest()}.png"


@pytest.fixture(params=["folder", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the location of a store with a 7, an image without a digit, and an incomplete file."""
    location = str(tmp_path / "store") if request.param == "folder" else "memory://corrections/store"
    files, root = fsspec.core.url_to_fs(location)
    files.makedirs(f"{root}/7")
    files.makedirs(f"{root}/not_a_digit")
    files.pipe_file(f"{root}/feedback.json", json.dumps({"format": 1}).encode())
    files.pipe_file(f"{root}/7/{name(draw(1))}", encode_png(draw(1)))
    files.pipe_file(f"{root}/not_a_digit/{name(draw(2))}", encode_png(draw(2)))
    files.pipe_file(f"{root}/7/.{name(draw(3))}", b"half")
    yield location
    files.rm(root, recursive=True)


def test_images_are_loaded_with_their_labels(location: str) -> None:
    assert is_feedback_store(location)
    images, warnings = load_feedback(location)
    assert {each.label: each.image.tolist() for each in images} == {7: draw(1).tolist(), NOT_A_DIGIT: draw(2).tolist()}
    assert warnings == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is skipped"),
        (b"rubbish", "is skipped"),
        (encode_png(draw(4))[:300], "is skipped"),
        (encode_png(draw(5)), "name is not the digest of the image"),
        (encode_png(np.zeros((5, 5), np.uint8)), "name is not the digest of the image"),
    ],
)
def test_an_invalid_file_is_skipped_with_a_warning(location: str, content: bytes, word: str) -> None:
    files, root = fsspec.core.url_to_fs(location)
    files.pipe_file(f"{root}/7/{name(draw(4))}", content)
    images, (warning,) = load_feedback(location)
    assert len(images) == 2
    assert name(draw(4)) in warning
    assert word in warning


def test_a_folder_without_the_marker_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert not is_feedback_store(str(tmp_path))
    assert not is_feedback_store(str(tmp_path / "nowhere"))


def test_an_empty_store_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text('{"format": 1}')
    assert is_feedback_store(str(tmp_path))
    assert load_feedback(str(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    ("location", "word"), [("tape://corrections", "tape"), ("memory://corrections/later", "format 2")]
)
def test_an_unsupported_location_or_format_raises_an_error(location: str, word: str) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/corrections/later/feedback.json", b'{"format": 2}')
    with pytest.raises(DataError, match=word):
        is_feedback_store(location)
    memory.rm("/corrections/later", recursive=True)


def test_an_invalid_marker_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        is_feedback_store(str(tmp_path))
