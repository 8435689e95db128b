import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from training.errors import FolderError
from training.publishing.artefacts import publish, read_card
from training.publishing.model_stores import ModelStore, open_models
from training.publishing.published_versions import list_versions, list_withdrawn_versions, promote, rollback

ADDRESS = "memory://bucket/models"


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    files = fsspec.filesystem("memory")
    files.mkdir("/bucket/models")
    yield files
    files.rm("/bucket", recursive=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def publish_softmax(folder: Path, content: str = "weights") -> Path:
    return publish(
        lambda staging: (staging / "saved_model.pb").write_text(content) and None, {"name": "softmax"}, folder
    )


def publish_to_store(content: str = "weights") -> list[str]:
    lines: list[str] = []
    with open_models(ADDRESS, lines.append) as folder:
        publish_softmax(folder, content)
    return lines


def names(store: fsspec.AbstractFileSystem) -> list[str]:
    return sorted(path.removeprefix("/bucket/models/") for path in store.find("/bucket/models"))


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    with open_models(str(tmp_path), pytest.fail) as folder:
        assert folder == tmp_path


def test_what_is_published_is_written_to_the_store_with_the_card_last(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    files = type(store)
    original = files.pipe_file

    def pipe_file(self: fsspec.AbstractFileSystem, path: str, content: bytes, mode: str = "overwrite") -> None:
        written.append(path)
        original(self, path, content, mode)

    monkeypatch.setattr(files, "pipe_file", pipe_file)
    assert publish_to_store() == [f"Published: {ADDRESS}/softmax/1"]
    assert [path.rpartition("/")[2] for path in written] == [".reserved", "saved_model.pb", "model.json"]
    with open_models(ADDRESS, pytest.fail) as folder:
        assert read_card(folder / "softmax" / "1")["version"] == 1
        assert list_versions(folder / "softmax") == [1]


@pytest.mark.usefixtures("store")
def test_a_model_that_was_published_before_an_error_is_written() -> None:
    with pytest.raises(KeyboardInterrupt), open_models(ADDRESS, lambda _: None) as folder:  # noqa: PT012 - published within
        publish_softmax(folder)
        raise KeyboardInterrupt
    with open_models(ADDRESS, pytest.fail) as folder:
        assert list_versions(folder / "softmax") == [1]


def test_an_upload_that_was_killed_leaves_no_version_and_its_number_is_not_used_again(
    store: fsspec.AbstractFileSystem,
) -> None:
    publish_to_store()
    for name in (".reserved", "saved_model.pb"):
        store.pipe_file(f"/bucket/models/softmax/2/{name}", b"")
    with open_models(ADDRESS, pytest.fail) as folder:
        assert list_versions(folder / "softmax") == [1]
    assert publish_to_store() == [f"Published: {ADDRESS}/softmax/3"]


@pytest.mark.usefixtures("store")
def test_two_publishers_at_the_same_time_get_different_numbers() -> None:
    with open_models(ADDRESS, lambda _: None) as folder:
        publish_softmax(folder, "first")
        assert publish_to_store("second") == [f"Published: {ADDRESS}/softmax/1"]
    with open_models(ADDRESS, pytest.fail) as folder:
        texts = [(folder / "softmax" / number / "saved_model.pb").read_text() for number in "12"]
        assert texts == ["second", "first"]
        assert read_card(folder / "softmax" / "2")["version"] == 2


def test_a_version_is_withdrawn_and_restored(store: fsspec.AbstractFileSystem) -> None:
    publish_to_store()
    publish_to_store("others")
    lines: list[str] = []
    with open_models(ADDRESS, lines.append) as folder:
        rollback(folder, "softmax")
    assert lines == [f"Withdrawn: {ADDRESS}/softmax/2"]
    assert "softmax/2/model.json" not in names(store)
    assert "softmax/2/withdrawn.json" in names(store)
    with open_models(ADDRESS, lines.append) as folder:
        assert list_withdrawn_versions(folder / "softmax") == [2]
        promote(folder, "softmax", 2)
    assert lines[1:] == [f"Restored: {ADDRESS}/softmax/2"]
    with open_models(ADDRESS, pytest.fail) as folder:
        assert read_card(folder / "softmax" / "2")["version"] == 2
        assert list_withdrawn_versions(folder / "softmax") == []


def test_versions_of_another_publisher_are_not_touched(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    with open_models(ADDRESS, pytest.fail):
        store.pipe_file("/bucket/models/softmax/7/model.json", json.dumps({"name": "softmax"}).encode())
    assert "softmax/7/model.json" in names(store)
    ModelStore(ADDRESS).download(tmp_path / "copy")
    assert list_versions(tmp_path / "copy" / "softmax") == [7]


@pytest.mark.usefixtures("store")
def test_checkpoints_outlive_the_copy() -> None:
    with open_models(ADDRESS, pytest.fail) as folder:
        (folder / ".training" / "softmax.npz").write_bytes(b"checkpoint")
    with open_models(ADDRESS, pytest.fail) as folder:
        assert (folder / ".training" / "softmax.npz").read_bytes() == b"checkpoint"


@pytest.mark.parametrize(
    ("address", "reason"),
    [("nosuch://bucket/models", "Protocol not known: nosuch"), ("memory://missing/models", None)],
)
def test_an_address_that_cannot_be_read_is_named(
    address: str, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason is None:
        reason = "no route to host"
        files = type(fsspec.filesystem("memory"))
        monkeypatch.setattr(files, "find", lambda *_, **__: (_ for _ in ()).throw(OSError(reason)))
    with pytest.raises(FolderError, match=f"{address} cannot be read: .*{reason}"), open_models(address, pytest.fail):
        pass
