from pathlib import Path

import pytest

from app.orders import Orders
from app.survey import survey


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    (tmp_path / "orders").mkdir()
    return Orders(tmp_path / "orders")


def test_models_versions_and_orders_are_found(models_dir: Path, orders: Orders) -> None:
    (models_dir / "empty").mkdir()
    (models_dir / "softmax" / ".2-half-written").mkdir()
    (models_dir / "softmax" / "10").mkdir()
    orders.give("softmax", "unload")
    found = survey(models_dir, orders)
    assert found.numbers["empty"] == []
    assert found.numbers["softmax"] == [10, 1]
    assert found.orders["softmax"].wish == "unload"
    assert found.fingerprints == {}


def test_fingerprints_are_taken_of_what_was_tried(models_dir: Path, orders: Orders) -> None:
    there, gone = models_dir / "softmax" / "1", models_dir / "softmax" / "2"
    first = survey(models_dir, orders, [there, gone]).fingerprints
    assert first[there]
    assert first[gone] == ()
    assert survey(models_dir, orders, [there, gone]).fingerprints == first
    (there / "model.json").write_text("{}")
    assert survey(models_dir, orders, [there]).fingerprints[there] != first[there]


def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_folder(tmp_path: Path, orders: Orders) -> None:
    with pytest.raises(FileNotFoundError):
        survey(tmp_path / "models", orders)
