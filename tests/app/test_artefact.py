import json
from pathlib import Path
from typing import Any

import pytest

from app.artefact import find_names, find_versions, read_card, verify
from app.errors import BrokenArtefact


def change_card(directory: Path, **changes: Any) -> None:  # noqa: ANN401 - any JSON
    path = directory / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def newest(models_dir: Path, name: str) -> Path:
    return models_dir / name / str(find_versions(models_dir / name)[0])


def test_names_pass_over_files_and_hidden_folders(tmp_path: Path) -> None:
    for name in ("softmax", "convnet", ".half"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    assert find_names(tmp_path) == ["convnet", "softmax"]


def test_versions_are_numbers_and_the_newest_comes_first(tmp_path: Path) -> None:
    for name in ("2", "10", "1", "01", "0", "-1", "x", ".3-half", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert find_versions(tmp_path) == [10, 2, 1]


@pytest.mark.parametrize("name", ["softmax", "convnet"])
def test_the_published_artefacts_are_sound(models_dir: Path, name: str) -> None:
    directory = newest(models_dir, name)
    verify(directory, read_card(directory))


def test_a_missing_card_is_named(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    (directory / "model.json").unlink()
    with pytest.raises(BrokenArtefact, match=r"model\.json cannot be read \(No such file"):
        read_card(directory)


@pytest.mark.parametrize(
    ("changes", "place"),
    [({"temperature": 0}, "temperature"), ({"files": {}}, "files"), ({"mood": "good"}, "mood"), ({"test": {}}, "test")],
)
def test_a_card_that_breaks_the_schema_says_where(models_dir: Path, changes: dict[str, object], place: str) -> None:
    directory = newest(models_dir, "softmax")
    change_card(directory, **changes)
    with pytest.raises(BrokenArtefact, match=rf"does not follow the format .* {place}"):
        read_card(directory)


def test_a_card_in_the_wrong_folder_is_refused(models_dir: Path) -> None:
    moved = newest(models_dir, "softmax").rename(models_dir / "softmax" / "77")
    with pytest.raises(BrokenArtefact, match="says that it is softmax/"):
        read_card(moved)


def test_an_altered_file_is_named_with_both_digests(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    weights = directory / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(BrokenArtefact, match=r"data-00000-of-00001 has been altered: its SHA-256 is \w{64}, expected"):
        verify(directory, card)


def test_a_missing_file_is_named(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    (directory / "saved_model.pb").unlink()
    with pytest.raises(BrokenArtefact, match=r"saved_model\.pb is missing"):
        verify(directory, card)


def test_a_file_that_is_not_in_the_card_is_named(models_dir: Path) -> None:
    directory = newest(models_dir, "softmax")
    card = read_card(directory)
    (directory / "extra.bin").touch()
    with pytest.raises(BrokenArtefact, match=r"extra\.bin is not in its model\.json"):
        verify(directory, card)
