"""Mirrors the models of an object store, or of any other file system of fsspec, in a folder on disk.

A version in the store is published when it has a `model.json`, which a publisher writes last and removes first. The
mirror only copies: `loader.py` verifies each version that it loads. In the mirror, `<name>/<version>` is a link to a
folder with all files of the version, so that a new or changed version appears at once, and as a whole. A mirror of an
earlier run is used as it is until the store can be read.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import structlog
from fsspec.core import url_to_fs

from app.errors import NotReady
from app.model_repository.artefact import MAX_ENTRIES, MAX_VERSION_BYTES
from app.model_repository.daemon_thread import DaemonThread
from app.settings import Settings

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

EVERY_SECONDS = 5.0
"""How often the store is listed: one request for each thousand files."""
CLOSE_SECONDS = 2.0

_CARD = "model.json"
_FILES = ".files"
"""The folder with the files of the versions, each in a folder that is named after its content."""

_log = structlog.get_logger()


class ModelMirror:
    """Copies the newest and the pinned versions of a store. Its methods are for one event loop, except `copy`."""

    def __init__(self, address: str, folder: Path, settings: Settings) -> None:
        """Prepare a mirror, and read nothing yet.

        Args:
            address: of the store, such as `s3://bucket/models`.
            folder: for the mirror. Several processes may share it.
            settings: say which versions are wanted.

        """
        files, root = url_to_fs(address, use_listings_cache=False)
        self._files: AbstractFileSystem = files
        self._root = root.rstrip("/")
        self._keep = settings.keep_versions + 1  # one more, which is served if the newest cannot be
        self._pinned = settings.model_versions
        self._too_large: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.folder = folder
        self.error: str | None = f"{address} has not been read yet. Try again in a few seconds."
        """Why the store cannot be read, in a sentence; None if it can."""

    @cached_property
    def _thread(self) -> DaemonThread:
        return DaemonThread("models-mirror")

    async def run(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Copy what is new at regular intervals, until cancelled. If that fails, the mirror stays as it is."""
        while True:
            before = self.error
            await self.update()
            if self.error not in {None, before}:  # once, not every time
                _log.error("models cannot be mirrored", reason=self.error)
            await asyncio.sleep(every_seconds)

    async def update(self) -> None:
        """Copy what is new, now. If that fails, `error` says why."""
        try:
            await self._thread.run(self.copy)
        except Exception as error:  # noqa: BLE001 - the kind of store decides which library raises which errors
            reason = f"{type(error).__name__}: {error}"
            self.error = f"{self.address} cannot be read ({reason:.500}). The loaded versions answer as before."
        else:
            self.error = None

    async def close(self) -> None:
        """End the thread, and wait for at most CLOSE_SECONDS for its current call."""
        await self._thread.close(seconds=CLOSE_SECONDS)

    def copy(self) -> None:
        """Copy the wanted versions that are new or have changed, and remove the others.

        Raises:
            FileNotFoundError: if the store has no version at all. A bucket that is missing can look like that.

        """
        published = self._list()
        if not published:
            message = f"no {_CARD} in {self.address}/<name>/<version>/"
            raise FileNotFoundError(message)
        with _locked(self.folder):
            wanted = {
                f"{name}/{number}" for name, numbers in _by_name(published) for number in self._wanted(name, numbers)
            }
            for version in sorted(wanted):
                self._copy_version(version, published[version])
            self._remove_all_but(wanted)

    def _list(self) -> dict[str, dict[str, Any]]:
        """Return the files of each published version, with what the store says of them, by `<name>/<version>`."""
        versions: dict[str, dict[str, Any]] = {}
        for path, status in self._files.find(self._root, detail=True).items():
            name, number, *rest = (*PurePosixPath(path).relative_to(self._root).parts, "", "")
            if name.startswith(".") or not _is_number(number) or any(part.startswith(".") for part in rest):
                continue
            versions.setdefault(f"{name}/{number}", {})["/".join(filter(None, rest))] = status
        return {version: files for version, files in versions.items() if _CARD in files}

    def _wanted(self, name: str, numbers: list[int]) -> list[int]:
        pinned = self._pinned.get(name)
        return [*sorted(numbers)[-self._keep :], *(number for number in numbers if number == pinned)]

    def _copy_version(self, version: str, files: Mapping[str, Any]) -> None:
        """Let the link of a version point to a folder with these files, and download them if there is none."""
        content = _identify(version, files)
        if not (self.folder / _FILES / content).is_dir() and not self._download(version, files, content):
            return
        link = self.folder / version
        if not link.is_symlink() or link.readlink().name != content:
            link.parent.mkdir(exist_ok=True)
            new_link = link.with_name(f".{link.name}")
            new_link.unlink(missing_ok=True)
            new_link.symlink_to(Path("..", _FILES, content))
            new_link.replace(link)

    def _download(self, version: str, files: Mapping[str, Any], content: str) -> bool:
        """Download the files of a version, and return whether its size allows that."""
        if content in self._too_large:
            return False
        if len(files) > MAX_ENTRIES or sum(status["size"] or 0 for status in files.values()) > MAX_VERSION_BYTES:
            self._too_large.add(content)
            limits = f"{MAX_ENTRIES:,} files or {MAX_VERSION_BYTES:,} bytes"
            reason = f"It has more than {limits}. Publish a smaller model."
            _log.error("version not mirrored", version=f"{self.address}/{version}", reason=reason)
            return False
        incoming = self.folder / _FILES / f"{content}.incoming"
        shutil.rmtree(incoming, ignore_errors=True)  # of a process that was killed
        for name in files:
            path = incoming / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(f"{self._root}/{version}/{name}", str(path))
        incoming.rename(self.folder / _FILES / content)
        return True

    def _remove_all_but(self, wanted: set[str]) -> None:
        used = set()
        for link in self.folder.glob("[!.]*/[!.]*"):
            if link.relative_to(self.folder).as_posix() in wanted:
                used.add(link.readlink().name)
            else:
                link.unlink()
        for content in (self.folder / _FILES).iterdir():
            if content.name not in used:
                shutil.rmtree(content, ignore_errors=True)


@contextmanager
def models_on_disk(settings: Settings) -> Iterator[Settings]:
    """Yield settings whose models are in a folder: for an object store, of a copy that is removed at the end.

    Raises:
        NotReady: if the store cannot be read.

    """
    if isinstance(settings.models_dir, Path):
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="digitserve-models-") as name:
        mirror = ModelMirror(settings.models_dir, Path(name), settings)
        try:
            mirror.copy()
        except Exception as error:  # the kind of store decides which library raises which errors
            message = f"{settings.models_dir} cannot be read: {type(error).__name__}: {error}."
            raise NotReady(message) from error
        yield settings.model_copy(update={"models_dir": mirror.folder})


def _by_name(versions: Mapping[str, object]) -> Iterator[tuple[str, list[int]]]:
    pairs = [version.split("/") for version in versions]
    for name in {name for name, _ in pairs}:
        yield name, [int(number) for other, number in pairs if other == name]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text[0] != "0"


def _identify(version: str, files: Mapping[str, Any]) -> str:
    """Return a name for the content of a version: it changes with a file's tag, size or time of change."""
    statuses = sorted(
        (name, *(str(status.get(key)) for key in ("ETag", "size", "LastModified", "mtime", "created")))
        for name, status in files.items()
    )
    return hashlib.sha256(repr((version, statuses)).encode()).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a mirror, which the system releases if the process ends."""
    (folder / _FILES).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
