from pathlib import Path

import pytest

from training.errors import FolderError
from training.folders import ensure_writable_folder


def test_a_folder_is_created_with_its_parents(tmp_path: Path) -> None:
    for _ in range(2):
        ensure_writable_folder(tmp_path / "plots" / "today")
    assert (tmp_path / "plots" / "today").is_dir()


def test_a_folder_that_cannot_be_created_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file")
    with pytest.raises(
        FolderError, match=r"notes cannot be created: File exists\. Choose a folder that can be written"
    ):
        ensure_writable_folder(tmp_path / "notes")


def test_a_folder_without_write_permission_raises_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.folders.os.access", lambda folder, mode: False)  # root may write anywhere
    with pytest.raises(FolderError, match="cannot be written to"):
        ensure_writable_folder(tmp_path)
