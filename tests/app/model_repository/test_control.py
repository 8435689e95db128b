from pathlib import Path

import pytest

from app.model_repository.control import ModelControl, control_folder


def test_a_command_reaches_the_other_workers(tmp_path: Path) -> None:
    one, other = ModelControl(tmp_path), ModelControl(tmp_path)
    assert other.read_commands() == {}
    one.issue("softmax", "unload")
    one.issue("convnet", "load")
    assert {name: command.action for name, command in other.read_commands().items()} == {
        "softmax": "unload",
        "convnet": "load",
    }


def test_the_same_command_issued_again_is_another_command(tmp_path: Path) -> None:
    control = ModelControl(tmp_path)
    control.issue("softmax", "load")
    first = control.read_commands()["softmax"]
    assert control.read_commands()["softmax"] == first
    control.issue("softmax", "load")
    assert control.read_commands()["softmax"] != first


def test_a_name_with_slashes_stays_in_the_folder(tmp_path: Path) -> None:
    control = ModelControl(tmp_path / "control")
    (tmp_path / "control").mkdir()
    control.issue("a/../../ü", "unload")
    assert list(control.read_commands()) == ["a/../../ü"]
    assert [path.name for path in tmp_path.iterdir()] == ["control"]


def test_workers_share_the_folder_of_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with control_folder() as own:
        assert own.is_dir()
    assert not own.exists()
    monkeypatch.setenv("DIGITSERVE_CONTROL_DIR", str(tmp_path))
    with control_folder() as shared:
        assert shared == tmp_path
    assert shared.exists()
