"""Finds, reads and verifies the folders of `models/`, in the format of `models/README.md`. Loads no model.

Each function reads a bounded amount, opens regular files only, and follows no link to a folder within a version. All of
them block if the disk does not answer: see `loader.py`.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from app.errors import BrokenArtefact
from app.model_repository.card import AnyCard, FinderCard
from app.settings import FINDER

MAX_CARD_BYTES = 128 * 1024
"""The published cards of classifiers have 6 to 17 thousand bytes; a finder's has a picture and its maps as well.

No other Python thread runs during parsing: 0.2 s at worst."""
MAX_VERSION_BYTES = 256 * 1024**2
"""Of all files together. The published versions have less than two million."""
MAX_ENTRIES = 1_000
"""Files and folders of a version. The published versions have six."""

_CARD = "model.json"
_CARDS: TypeAdapter[AnyCard] = TypeAdapter(AnyCard)
_MAX_DIGITS = 18  # of a version number: they fit into 64 bits, and requests may ask for no more
_MAX_NAMED_ERRORS = 5  # in the message about a card
_MAX_LISTED_ERRORS = 1_000  # with more errors, none is named: listing a hundred thousand takes a second
_CHUNK_BYTES = 1024**2

Fingerprint = tuple[tuple[str, int, int, int, int], ...]
"""The path, inode, size, mtime and ctime of each file and folder of a version. Cheap to take. It changes with the files
and their permissions. An entry whose status cannot be read has the error number instead."""


def find_models(models_dir: Path) -> list[str]:
    """List the models of a folder, without hidden folders, which may be half-written.

    A name may not be valid UTF-8, and its folder may not be readable: `find_versions` raises an error for both.

    Raises:
        OSError: if the folder cannot be listed.

    """
    with os.scandir(models_dir) as entries:
        return sorted(entry.name for entry in entries if _may_be_folder(entry) and not entry.name.startswith("."))


def find_versions(directory: Path) -> list[int]:
    """List the versions of the model in `directory`, the newest first. Folders that are not versions are left out.

    Raises:
        BrokenArtefact: if they cannot be listed, or the name of the model is not valid UTF-8.

    """
    if printable(directory.name) != directory.name:
        message = f"The name of {printable(str(directory))} is not valid UTF-8. Rename the folder."
        raise BrokenArtefact(message)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if _may_be_folder(entry)]
    except FileNotFoundError:  # removed since it was listed
        return []
    except OSError as error:
        message = (
            f"{directory} cannot be read ({error.strerror}). Let the service's user read it, or move it out of "
            f"{directory.parent}."
        )
        raise BrokenArtefact(message) from error
    return sorted((int(name) for name in names if _is_version(name)), reverse=True)


def printable(text: str) -> str:
    """Escape the bytes of a file name that are not valid UTF-8, so that it can be sent and logged."""
    return text.encode("utf-8", "backslashreplace").decode()


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a loop of links: reading it raises an error that says so
        return True


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal() and name[0] != "0" and len(name) <= _MAX_DIGITS


def read_card(directory: Path) -> AnyCard:
    """Read the model card of the version in `directory`, which is `<name>/<version>`.

    Raises:
        BrokenArtefact: if it is missing, does not follow the schema, or belongs to another version or task.

    """
    path = directory / _CARD
    try:
        with _open_regular(path) as file:
            content = file.read(MAX_CARD_BYTES + 1)
        if len(content) > MAX_CARD_BYTES:
            message = f"{path} has more than {MAX_CARD_BYTES:,} bytes, the limit of a card. Publish the version again."
            raise BrokenArtefact(message)
        card = _CARDS.validate_json(content)
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Publish the version again."
        raise BrokenArtefact(message) from error
    except ValidationError as error:
        errors = _describe_errors(error)
        message = f"{path} does not follow the format in models/README.md. {errors}. Publish the version again."
        raise BrokenArtefact(message) from error
    if (card.name, str(card.version)) != (directory.parent.name, directory.name):
        message = f"{path} says that it is {card.name}/{card.version}. Move the folder back to where it was published."
        raise BrokenArtefact(message)
    if isinstance(card, FinderCard) != (card.name == FINDER):
        message = (
            f"{path} is the card of a {'finder' if isinstance(card, FinderCard) else 'classifier'}. Models named "
            f"'{FINDER}' are finders, and all others are classifiers. Publish it under another name."
        )
        raise BrokenArtefact(message)
    return card


def _describe_errors(error: ValidationError) -> str:
    """Describe the first errors of a card, each with its field. The first part of a location is the task."""
    if error.error_count() > _MAX_LISTED_ERRORS:
        return f"It has {error.error_count():,} errors"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    descriptions = [f"{'.'.join(map(str, each['loc'][1:])) or 'file':.100}: {each['msg']:.200}" for each in found]
    more = [f"and {len(descriptions) - _MAX_NAMED_ERRORS:,} more"] if len(descriptions) > _MAX_NAMED_ERRORS else []
    return "; ".join(descriptions[:_MAX_NAMED_ERRORS] + more)


def copy_verified(directory: Path, card: AnyCard, target: Path) -> None:
    """Copy the files of the version in `directory`, except its card, and compare each with its digest in the card.

    The copy is what is loaded. The original may change after it has been verified, and it may be on a network disk:
    OpenVINO holds the global interpreter lock while it reads a model, so that all threads would wait for that disk.

    Args:
        directory: of the version.
        card: its card.
        target: an empty folder.

    Raises:
        BrokenArtefact: if a file is altered, missing, unreadable or not in the card; it names the first one.
        OSError: if the copy cannot be written.

    """
    found = _find_files(directory) - {_CARD}
    for name in sorted(found ^ card.files.keys()):
        state = "is not in its model.json" if name in found else "is missing"
        message = f"{directory / name} {state}. Publish the version again."
        raise BrokenArtefact(message)
    remaining = MAX_VERSION_BYTES
    for name, expected in card.files.items():
        digest, size = _copy(directory / name, target / name, remaining)
        remaining -= size
        if digest != expected:
            message = (
                f"{directory / name} has been altered: its SHA-256 is {digest}, expected {expected}. "
                "Publish the version again."
            )
            raise BrokenArtefact(message)


def _find_files(directory: Path) -> set[str]:
    entries = list(islice(_walk(directory), MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        message = f"{directory} has more than {MAX_ENTRIES:,} files and folders. Publish the version again."
        raise BrokenArtefact(message)
    names = set()
    for path, status in entries:
        if isinstance(status, OSError):
            raise _unreadable(path, status)
        if stat.S_ISREG(status.st_mode):
            names.add(path.relative_to(directory).as_posix())
        elif not stat.S_ISDIR(status.st_mode):
            raise _irregular(path)
    return names


def _copy(source: Path, target: Path, max_bytes: int) -> tuple[str, int]:
    """Copy a file of at most `max_bytes`, and return its digest and its size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _open_source(source) as file, target.open("xb") as copy:
        while chunk := _read_chunk(file, source):
            size += len(chunk)
            if size > max_bytes:
                message = (
                    f"{source.name} makes its version larger than {MAX_VERSION_BYTES:,} bytes, the limit of a version. "
                    "Publish a smaller model."
                )
                raise BrokenArtefact(message)
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest(), size


def _open_source(path: Path) -> IO[bytes]:
    try:
        return _open_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_chunk(file: IO[bytes], path: Path) -> bytes:
    try:
        return file.read(_CHUNK_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading if it is a regular file: reading any other may block, or never end."""
    # Without O_NONBLOCK, opening a FIFO blocks until another process opens it for writing.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _irregular(path)
    return os.fdopen(descriptor, "rb")


def _irregular(path: Path) -> BrokenArtefact:
    return BrokenArtefact(f"{path} is not a regular file. Publish the version again.")


def _unreadable(path: Path, error: OSError) -> BrokenArtefact:
    return BrokenArtefact(f"{path} cannot be read ({error.strerror}). Publish the version again.")


def take_fingerprint(directory: Path) -> Fingerprint:
    """Return the fingerprint of the version in `directory`; it is empty if there are no files."""
    return tuple(sorted(_entry_fingerprint(path, status) for path, status in islice(_walk(directory), MAX_ENTRIES + 1)))


def _entry_fingerprint(path: Path, status: os.stat_result | OSError) -> tuple[str, int, int, int, int]:
    if isinstance(status, OSError):
        return path.as_posix(), -1, status.errno or 0, 0, 0
    return path.as_posix(), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _walk(directory: Path) -> Iterator[tuple[Path, os.stat_result | OSError]]:
    """Yield each file and folder within a folder, with its status or the error of reading that.

    Entries that are removed meanwhile are left out. Links to folders are not followed.
    """
    folders = [directory]
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found = list(islice(entries, MAX_ENTRIES + 1))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield folder, error
            continue
        for entry in found:
            path = folder / entry.name
            try:
                yield path, entry.stat()
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield path, error
