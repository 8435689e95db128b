"""The files of a folder or of a pattern, on a disk or in another file system of fsspec. Decodes no pictures."""

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from app.errors import TooLarge
from app.model_repository.artefact import printable
from app.score.chunks import Entry, Picture
from imaging import UnreadablePicture

PARTS = ".parts"
"""Appended to the address of a table, the folder with its parts."""
_WILDCARDS = "*?["
_STAMPS = "ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created"
"""What tells that a file has changed, by its name in different file systems, the best first."""

File = tuple[str, int, str]
"""The address of a file, its size in bytes, and a stamp that changes with its content."""


class FileSource:
    """Files in the order of their paths. All addresses and sizes are held in memory."""

    def __init__(self, files: AbstractFileSystem, address: str, *, excluded: str | None) -> None:
        """List the files.

        Args:
            files: the file system.
            address: a file, a folder, which stands for its files and those of its subfolders, or a pattern. Hidden
                files and folders are left out.
            excluded: the address of a file that is left out, too, and so is the folder beside it with its parts.

        Raises:
            OSError: if a folder cannot be listed. Some file systems raise other errors.

        """
        base = address.rstrip("/") if files.isdir(address) else _folder_of(address)
        digest = hashlib.sha256()
        self._base = f"{base}/"
        self._files: list[tuple[str, int]] = []
        for path, size, stamp in _find(files, address):
            is_hidden = "/." in path.removeprefix(base)
            is_excluded = excluded is not None and (path == excluded or path.startswith(f"{excluded}{PARTS}/"))
            if not is_hidden and not is_excluded:
                self._files.append((path, size))
                digest.update(f"{printable(path)}\t{size}\t{stamp}\n".encode())
        self.fingerprint = digest.hexdigest()
        self.count: int | None = len(self._files)

    def entries(self) -> Iterator[Entry]:
        """Iterate over the files. Their contents are addresses, and their paths relative to the folder."""
        for address, size in self._files:
            yield Entry(printable(address.removeprefix(self._base)), size, partial(str, address))


def stamp_of(details: Mapping[str, Any]) -> str:
    """Return what tells that a file has changed, from the details that a file system knows of it."""
    return next((str(details[name]) for name in _STAMPS if details.get(name) is not None), "")


def read_files(files: AbstractFileSystem, pictures: Sequence[Picture], max_bytes: int) -> list[bytes | Exception]:
    """Return the file of each picture, or why it cannot be read: a ServiceError or a PictureError."""
    outcomes: dict[int, bytes | Exception] = {}
    remote: list[int] = []
    for index, (_, size, content) in enumerate(pictures):
        if max(size, len(content) if isinstance(content, bytes) else 0) > max_bytes:
            outcomes[index] = TooLarge(f"The file has more than {max_bytes:,} bytes, which is the limit.")
        elif isinstance(content, bytes):
            outcomes[index] = content
        elif isinstance(files, LocalFileSystem):
            outcomes[index] = _read_local(content)
        else:
            remote.append(index)
    addresses = [pictures[index].content for index in remote]
    outcomes |= zip(remote, files.cat_ranges(addresses, None, None, on_error="return") if remote else (), strict=True)
    return [_describe(outcomes[index]) for index in range(len(pictures))]


def _describe(outcome: bytes | Exception) -> bytes | Exception:
    """Turn the error of a file system into one of the picture."""
    if isinstance(outcome, bytes | TooLarge):
        return outcome
    reason = getattr(outcome, "strerror", None) or str(outcome) or type(outcome).__name__
    return UnreadablePicture(f"The file cannot be read: {reason}.")


def _read_local(path: str) -> bytes | Exception:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a Path for each of many small files takes time
            return file.readall()
    except OSError as error:
        return error


def _find(files: AbstractFileSystem, address: str) -> Iterator[File]:
    if not isinstance(files, LocalFileSystem):
        found = files.find(address, detail=True) if files.exists(address) else files.glob(address, detail=True)
        yield from ((path, each["size"] or 0, stamp_of(each)) for path, each in found.items() if each["type"] == "file")
    elif files.isdir(address):
        yield from _walk(address)
    else:
        paths = [address] if files.isfile(address) else sorted(glob.glob(address, recursive=True))  # noqa: PTH207 - strings
        for path in map(Path, paths):
            if path.is_file():
                status = path.stat()
                yield str(path), status.st_size, str(status.st_mtime_ns)


def _walk(folder: str) -> Iterator[File]:
    """Yield the regular files of a folder and its subfolders. Links to files are followed, but not those to folders."""
    with os.scandir(folder) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.is_file():
            status = entry.stat()
            yield entry.path, status.st_size, str(status.st_mtime_ns)


def _folder_of(address: str) -> str:
    """Return the folder of a file, or the folder before the first wildcard of a pattern."""
    first = min((address.find(each) for each in _WILDCARDS if each in address), default=len(address))
    return address[:first].rpartition("/")[0]
