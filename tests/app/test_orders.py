from pathlib import Path

import pytest

from app.orders import Orders, shared_folder


def test_what_one_worker_is_asked_the_others_read(tmp_path: Path) -> None:
    one, other = Orders(tmp_path), Orders(tmp_path)
    assert other.read() == {}
    one.give("softmax", "unload")
    one.give("convnet", "load")
    assert {name: order.wish for name, order in other.read().items()} == {"softmax": "unload", "convnet": "load"}


def test_the_same_order_given_again_is_another_order(tmp_path: Path) -> None:
    orders = Orders(tmp_path)
    orders.give("softmax", "load")
    first = orders.read()["softmax"]
    assert orders.read()["softmax"] == first
    orders.give("softmax", "load")
    assert orders.read()["softmax"] != first


def test_a_name_is_no_path(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders")
    (tmp_path / "orders").mkdir()
    orders.give("a/../../ü", "unload")
    assert list(orders.read()) == ["a/../../ü"]
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_workers_share_the_folder_that_their_parent_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_folder() as own:
        assert own.is_dir()
    assert not own.exists()
    monkeypatch.setenv("DIGITSERVE_ORDERS_DIR", str(tmp_path))
    with shared_folder() as shared:
        assert shared == tmp_path
    assert shared.exists()
