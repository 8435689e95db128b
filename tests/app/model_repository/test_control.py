from pathlib import Path

import pytest

from app.model_repository.control import ModelControl, shared_folder


def test_what_one_worker_is_asked_the_others_read(tmp_path: Path) -> None:
    one, other = ModelControl(tmp_path), ModelControl(tmp_path)
    assert other.read() == {}
    one.give("softmax", "unload")
    one.give("convnet", "load")
    assert {name: order.wish for name, order in other.read().items()} == {"softmax": "unload", "convnet": "load"}


def test_the_same_order_given_again_is_another_order(tmp_path: Path) -> None:
    control = ModelControl(tmp_path)
    control.give("softmax", "load")
    first = control.read()["softmax"]
    assert control.read()["softmax"] == first
    control.give("softmax", "load")
    assert control.read()["softmax"] != first


def test_a_name_is_no_path(tmp_path: Path) -> None:
    control = ModelControl(tmp_path / "orders")
    (tmp_path / "orders").mkdir()
    control.give("a/../../ü", "unload")
    assert list(control.read()) == ["a/../../ü"]
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_workers_share_the_folder_that_their_parent_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_folder() as own:
        assert own.is_dir()
    assert not own.exists()
    monkeypatch.setenv("DIGITSERVE_CONTROL_DIR", str(tmp_path))
    with shared_folder() as shared:
        assert shared == tmp_path
    assert shared.exists()
