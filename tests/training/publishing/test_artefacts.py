import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from training.errors import ArtefactError
from training.publishing import artefacts

CARD: dict[str, Any] = {"name": "tiny", "temperature": 2.0}


def save(folder: Path) -> None:
    """Write the files of a small SavedModel."""
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")


def entries(models: Path) -> list[str]:
    return sorted(path.name for path in (models / "tiny").iterdir())


def test_a_published_card_is_read(tmp_path: Path) -> None:
    folder = artefacts.publish(save, CARD, tmp_path)
    card = artefacts.read_card(folder)
    assert folder == tmp_path / "tiny" / "1"
    assert card.items() >= CARD.items()
    assert card["version"] == 1
    assert set(card["files"]) == {"saved_model.pb", "variables/variables.index"}


def test_an_artefact_is_readable_by_other_users(tmp_path: Path) -> None:
    assert stat.S_IMODE(artefacts.publish(save, CARD, tmp_path).stat().st_mode) & 0o055 == 0o055


def test_each_run_publishes_the_next_version(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "7").mkdir(parents=True)
    (tmp_path / "tiny" / "notes").mkdir()
    assert artefacts.publish(save, CARD, tmp_path).name == "8"
    assert artefacts.publish(save, CARD, tmp_path).name == "9"
    assert entries(tmp_path) == ["7", "8", "9", "notes"]


def test_concurrent_runs_publish_different_versions(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        folders = list(threads.map(lambda _: artefacts.publish(save, CARD, tmp_path), range(4)))
    assert sorted(folder.name for folder in folders) == entries(tmp_path) == ["1", "2", "3", "4"]
    for folder in folders:
        assert json.loads((folder / "model.json").read_text())["version"] == int(folder.name)


def test_a_version_published_by_another_run_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = artefacts.publish(save, CARD, tmp_path)
    before = (first / "model.json").read_bytes()
    stale = iter([1, 1])  # as seen by a run before another run publishes
    monkeypatch.setattr(artefacts, "next_version", lambda model: next(stale, 2))
    assert artefacts.publish(save, CARD, tmp_path).name == "2"
    assert (first / "model.json").read_bytes() == before


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interrupted_publication_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    def stop(folder: Path) -> None:
        raise failure

    monkeypatch.setattr(artefacts, "flush_to_disk", stop)
    with pytest.raises(failure):
        artefacts.publish(save, CARD, tmp_path)
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"altered"), "saved_model.pb"),
        (lambda folder: (folder / "variables" / "variables.index").unlink(), "variables/variables.index"),
        (lambda folder: (folder / "more.txt").write_text("unlisted"), "more.txt"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json"),
        (lambda folder: (folder / "model.json").unlink(), "model.json"),
        (lambda folder: (folder / "model.json").write_text("{}"), "not a model card"),
        (lambda folder: (folder / "model.json").write_text("[]"), "not a model card"),
    ],
)
def test_a_damaged_artefact_raises_an_error_with_the_file(
    tmp_path: Path, damage: Callable[[Path], None], named: str
) -> None:
    folder = artefacts.publish(save, CARD, tmp_path)
    damage(folder)
    with pytest.raises(ArtefactError) as caught:
        artefacts.read_card(folder)
    assert named in str(caught.value)


def test_a_saved_model_is_copied_without_its_card(tmp_path: Path) -> None:
    first = artefacts.publish(save, CARD, tmp_path)
    second = artefacts.publish(lambda folder: artefacts.copy_saved_model(first, folder), CARD, tmp_path)
    cards = [artefacts.read_card(folder) for folder in (first, second)]
    assert [card["version"] for card in cards] == [1, 2]
    assert cards[0]["files"] == cards[1]["files"]


def test_the_card_of_the_served_version_is_read(tmp_path: Path) -> None:
    assert artefacts.read_served_card(tmp_path, "tiny") is None
    artefacts.publish(save, CARD, tmp_path)
    folder = artefacts.publish(save, CARD, tmp_path)
    assert artefacts.read_served_card(tmp_path, "tiny") == artefacts.read_card(folder)
    (folder / "saved_model.pb").write_bytes(b"altered")
    with pytest.raises(
        ArtefactError, match=r"is damaged.*saved_model\.pb\..* move the folder elsewhere\. Or roll it back"
    ):
        artefacts.read_served_card(tmp_path, "tiny")
