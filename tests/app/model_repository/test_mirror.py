import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from structlog.testing import capture_logs

from app.errors import NotReady
from app.model_repository import mirror
from app.model_repository.artefact import find_models, find_versions, read_card
from app.model_repository.mirror import ModelMirror, models_on_disk
from app.settings import Settings
from tests.conftest import publish

pytestmark = pytest.mark.anyio

ADDRESS = "memory://store/models"


@pytest.fixture
def store(models_dir: Path) -> Iterator[fsspec.AbstractFileSystem]:
    """Return a file system in memory with the models of `models_dir` in ADDRESS."""
    files = fsspec.filesystem("memory")
    files.put(str(models_dir), "/store/models", recursive=True)
    yield files
    files.rm("/store", recursive=True)


def open_mirror(folder: Path, **settings: object) -> ModelMirror:
    return ModelMirror(ADDRESS, folder, Settings.model_validate({"models_dir": ADDRESS, **settings}))


def upload(store: fsspec.AbstractFileSystem, models_dir: Path, version: int) -> None:
    directory = publish(models_dir, "softmax", version)
    store.put(str(directory), f"/store/models/softmax/{version}", recursive=True)


@pytest.mark.usefixtures("store")
async def test_a_mirror_has_the_files_of_the_store(models_dir: Path, tmp_path: Path) -> None:
    copy = open_mirror(tmp_path / "mirror")
    assert "has not been read yet" in str(copy.error)
    await copy.update()
    assert copy.error is None
    assert find_models(copy.folder) == find_models(models_dir)
    for path in filter(Path.is_file, models_dir.rglob("*")):  # noqa: ASYNC240 - on the local disk
        assert (copy.folder / path.relative_to(models_dir)).read_bytes() == path.read_bytes()


async def test_the_two_newest_and_the_pinned_version_are_mirrored_and_no_others(
    store: fsspec.AbstractFileSystem, models_dir: Path, tmp_path: Path
) -> None:
    copy = open_mirror(tmp_path / "mirror", model_versions="softmax:2")
    for version in (2, 3, 4, 10):
        upload(store, models_dir, version)
    await copy.update()
    assert find_versions(copy.folder / "softmax") == [10, 4, 2]
    store.rm("/store/models/softmax/10/model.json")  # withdrawn
    await copy.update()
    assert find_versions(copy.folder / "softmax") == [4, 3, 2]
    contents = [path.name for path in (copy.folder / ".files").iterdir()]
    assert len(contents) == len(find_models(models_dir)) + 2, "the files of version 10 are removed"


async def test_a_version_without_a_card_is_not_mirrored(
    store: fsspec.AbstractFileSystem, models_dir: Path, tmp_path: Path
) -> None:
    directory = publish(models_dir, "softmax", 2)
    store.put(str(directory / "saved_model.pb"), "/store/models/softmax/2/saved_model.pb")
    store.pipe_file("/store/models/softmax/2/.reserved", b"")
    copy = open_mirror(tmp_path / "mirror")
    await copy.update()
    assert find_versions(copy.folder / "softmax") == [1]
    store.put(f"{directory}/", "/store/models/softmax/2/", recursive=True)
    await copy.update()
    assert find_versions(copy.folder / "softmax") == [2, 1]
    assert not (copy.folder / "softmax" / "2" / ".reserved").exists()


async def test_a_changed_version_replaces_its_copy(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    copy = open_mirror(tmp_path / "mirror")
    await copy.update()
    card = json.loads(store.cat_file("/store/models/softmax/1/model.json"))
    store.pipe_file("/store/models/softmax/1/model.json", json.dumps(card | {"title": "Changed"}).encode())
    await copy.update()
    found = read_card(copy.folder / "softmax" / "1")
    assert found.title == "Changed"


@pytest.mark.parametrize("how", ["unreadable", "empty"])
async def test_a_store_that_goes_away_leaves_the_mirror_as_it_is(
    store: fsspec.AbstractFileSystem, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = open_mirror(tmp_path / "mirror")
    await copy.update()
    if how == "empty":
        store.rm("/store/models", recursive=True)
    else:
        monkeypatch.setattr(type(store), "find", lambda *_, **__: (_ for _ in ()).throw(OSError("no route to host")))
    await copy.update()
    assert f"{ADDRESS} cannot be read" in str(copy.error)
    assert find_versions(copy.folder / "softmax") == [1]


async def test_a_mirror_of_an_earlier_run_is_used_without_the_store(
    store: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    await open_mirror(tmp_path / "mirror").update()
    store.rm("/store/models", recursive=True)
    copy = open_mirror(tmp_path / "mirror")
    await copy.update()
    assert find_versions(copy.folder / "softmax") == [1]


async def test_an_interrupted_download_is_repeated(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = open_mirror(tmp_path / "mirror")
    with monkeypatch.context() as patch:
        original = type(store).get_file

        def get_file(self: fsspec.AbstractFileSystem, path: str, target: str) -> None:
            if path.endswith("saved_model.pb"):
                raise TimeoutError
            original(self, path, target)

        patch.setattr(type(store), "get_file", get_file)
        await copy.update()
        assert "TimeoutError" in str(copy.error)
        assert find_models(copy.folder) == []
    await copy.update()
    assert (copy.folder / "softmax" / "1" / "saved_model.pb").is_file()


async def test_a_version_that_is_too_large_is_named_once_and_not_mirrored(
    store: fsspec.AbstractFileSystem, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(store, models_dir, 2)
    store.pipe_file("/store/models/softmax/2/more", bytes(3_000_000))
    monkeypatch.setattr(mirror, "MAX_VERSION_BYTES", 3_000_000)
    copy = open_mirror(tmp_path / "mirror")
    with capture_logs() as logs:
        await copy.update()
        await copy.update()
    assert [(log["event"], log["version"]) for log in logs] == [("version not mirrored", f"{ADDRESS}/softmax/2")]
    assert find_versions(copy.folder / "softmax") == [1]


async def test_a_path_outside_the_store_is_not_written(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    find = store.find

    def find_more(*_: object, **__: object) -> dict[str, object]:
        listing = find("/store/models", detail=True)
        card = listing["/store/models/softmax/1/model.json"]
        return listing | {f"/store/models/softmax/1/{path}": card for path in ("../../../escaped", "x/../../../y")}

    copy = open_mirror(tmp_path / "mirror")
    store.find = find_more  # type: ignore[method-assign]
    try:
        await copy.update()
    finally:
        del store.find
    assert copy.error is None
    assert {path.name for path in tmp_path.iterdir()} == {"mirror", "models"}  # noqa: ASYNC240 - on the local disk


@pytest.mark.usefixtures("store")
def test_models_on_disk_are_a_copy_of_the_store_for_a_while(models_dir: Path) -> None:
    with models_on_disk(Settings.model_validate({"models_dir": ADDRESS})) as settings:
        folder = Path(settings.models_dir)
        assert find_models(folder) == find_models(models_dir)
        assert (folder / "convnet" / "1" / "saved_model.pb").is_file()
    assert not folder.exists()


def test_models_on_disk_are_those_of_a_folder(models_dir: Path) -> None:
    with models_on_disk(Settings(models_dir=models_dir)) as settings:
        assert settings.models_dir == models_dir


def test_models_on_disk_need_a_store_that_can_be_read() -> None:
    with (
        pytest.raises(NotReady, match=r"memory://nothing cannot be read: FileNotFoundError: no model\.json"),
        models_on_disk(Settings.model_validate({"models_dir": "memory://nothing"})),
    ):
        pass
