from pathlib import Path

import pytest

from app.model_repository.control import ModelControl
from app.model_repository.scan import scan


@pytest.fixture
def control(tmp_path: Path) -> ModelControl:
    (tmp_path / "control").mkdir()
    return ModelControl(tmp_path / "control")


def test_a_scan_finds_models_versions_and_commands(models_dir: Path, control: ModelControl) -> None:
    (models_dir / "empty").mkdir()
    (models_dir / "softmax" / ".2-half-written").mkdir()
    (models_dir / "softmax" / "10").mkdir()
    control.issue("softmax", "unload")
    found = scan(models_dir, control)
    assert found.versions["empty"] == []
    assert found.versions["softmax"] == [10, 1]
    assert found.commands["softmax"].action == "unload"
    assert found.fingerprints == {}


def test_a_scan_takes_the_fingerprints_of_the_requested_folders(models_dir: Path, control: ModelControl) -> None:
    there, gone = models_dir / "softmax" / "1", models_dir / "softmax" / "2"
    first = scan(models_dir, control, [there, gone]).fingerprints
    assert first[there]
    assert first[gone] == ()
    assert scan(models_dir, control, [there, gone]).fingerprints == first
    (there / "model.json").write_text("{}")
    assert scan(models_dir, control, [there]).fingerprints[there] != first[there]


def test_a_folder_that_cannot_be_read_raises(tmp_path: Path, control: ModelControl) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "models", control)
