"""Folders of models in an object store, such as `s3://bucket/models`, for all commands that take `--models`.

A command works on a copy of the store, and what it publishes, withdraws or restores is then written to the store. A
store cannot rename, so `model.json` decides: a version is published when it has one. It is written after all other
files, and removed first. A withdrawn version has its card as `withdrawn.json`. A number is used once: the empty file
`.reserved`, which only one publisher can create, reserves it.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pooch

from training.errors import FolderError
from training.folders import ensure_writable_folder
from training.publishing.artefacts import CARD, write_card
from training.publishing.published_versions import VERSION, WITHDRAWN_PREFIX, list_versions, list_withdrawn_versions
from training.publishing.workspace import WORKSPACE

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

WITHDRAWN_CARD = "withdrawn.json"
RESERVED = ".reserved"


def is_store(address: str) -> bool:
    """Tell a URL from a folder."""
    return "://" in address


@contextmanager
def open_models(address: str, on_written: Callable[[str], None]) -> Iterator[Path]:
    """Yield the folder with this path, or a copy of the store with this URL, whose changes are written at the end.

    They are also written if the block raises an error: a model that was published before the error stays published.
    The checkpoints are kept in a folder of the user's cache. Raises FolderError if the store cannot be read or written.

    Args:
        address: The path or the URL.
        on_written: Called with a line for each change in a store.

    """
    if not is_store(address):
        yield Path(address)
        return
    with tempfile.TemporaryDirectory(prefix="digitserve-models-") as name:
        folder = Path(name)
        store = ModelStore(address)
        with _named_errors(address, "read"):
            store.download(folder)
        workspace = pooch.os_cache("digitserve") / "training" / hashlib.sha256(address.encode()).hexdigest()[:16]
        ensure_writable_folder(workspace)
        (folder / WORKSPACE).symlink_to(workspace)
        try:
            yield folder
        finally:
            with _named_errors(address, "written"):
                for change in store.upload(folder):
                    on_written(change)


@contextmanager
def _named_errors(address: str, action: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the kind of store decides which library raises which errors
        msg = f"{address} cannot be {action}: {type(error).__name__}: {error}. Check the address and the credentials."
        raise FolderError(msg) from error


class ModelStore:
    """The versions in an object store, copied to a folder and back."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - commands for a folder need no fsspec

        with _named_errors(address, "read"):
            files, root = url_to_fs(address, use_listings_cache=False)
        self._files: AbstractFileSystem = files
        self._root = root.rstrip("/")
        self._address = address.rstrip("/")
        self._was_published: dict[tuple[str, int], bool] = {}  # at the time of `download`; False: it was withdrawn

    def download(self, folder: Path) -> None:
        """Copy all published and withdrawn versions to an empty folder, in the layout of a folder of models."""
        for (name, number), paths in self._list().items():
            if CARD not in paths and WITHDRAWN_CARD not in paths:
                continue  # a number that a publisher reserved
            self._was_published[name, number] = CARD in paths
            prefix = "" if CARD in paths else WITHDRAWN_PREFIX
            for path in paths - {RESERVED}:
                local = CARD if path == WITHDRAWN_CARD else path
                target = folder / name / f"{prefix}{number}" / local
                target.parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(f"{self._root}/{name}/{number}/{path}", str(target))

    def upload(self, folder: Path) -> Iterator[str]:
        """Write to the store what has changed in the folder since `download`. Yield a line about each change."""
        for model in sorted(folder.glob("[!.]*")):
            for number in list_withdrawn_versions(model):
                if self._was_published[model.name, number]:
                    self._rename_card(model.name, number, CARD, WITHDRAWN_CARD)
                    yield f"Withdrawn: {self._address}/{model.name}/{number}"
            for number in list_versions(model):
                was_published = self._was_published.get((model.name, number))
                if was_published is None:
                    published = self._publish(model / str(number))
                    yield f"Published: {self._address}/{model.name}/{published}"
                elif not was_published:
                    self._rename_card(model.name, number, WITHDRAWN_CARD, CARD)
                    yield f"Restored: {self._address}/{model.name}/{number}"

    def _list(self) -> dict[tuple[str, int], set[str]]:
        """Return the paths of the files of each version, relative to it."""
        versions: dict[tuple[str, int], set[str]] = {}
        pattern = re.compile(rf"{re.escape(self._root)}/([^./][^/]*)/({VERSION.pattern})/(.+)")
        for path in self._files.find(self._root):
            if found := pattern.fullmatch(path):
                versions.setdefault((found[1], int(found[2])), set()).add(found[3])
        return versions

    def _publish(self, version: Path) -> int:
        """Upload a version, and return its number: a higher one than before if another publisher has reserved that."""
        name, number = version.parent.name, int(version.name)
        while not self._reserve(name, number):
            number += 1
        card = json.loads((version / CARD).read_text(encoding="utf-8"))
        write_card(card | {"version": number}, version)
        paths = [path for path in version.rglob("*") if path.is_file()]
        for path in sorted(paths, key=lambda path: path == version / CARD):  # the card last
            self._files.pipe_file(
                f"{self._root}/{name}/{number}/{path.relative_to(version).as_posix()}", path.read_bytes()
            )
        return number

    def _reserve(self, name: str, number: int) -> bool:
        try:
            self._files.pipe_file(f"{self._root}/{name}/{number}/{RESERVED}", b"", mode="create")
        except FileExistsError:
            return False
        return True

    def _rename_card(self, name: str, number: int, before: str, after: str) -> None:
        folder = f"{self._root}/{name}/{number}"
        self._files.pipe_file(f"{folder}/{after}", self._files.cat_file(f"{folder}/{before}"))
        self._files.rm_file(f"{folder}/{before}")
