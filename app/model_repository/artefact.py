"""A folder of `models/` on disk: finding, reading and verifying it, as `models/README.md` has it. Loads nothing.

Whatever the folder holds, each function here reads a bounded amount, opens regular files only, and never follows a link
to a folder within a version. A disk that does not answer holds it up: see `loading.py`.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from app.errors import BrokenArtefact
from app.model_repository.card import Card

LARGEST_CARD = 128 * 1024
"""Bytes. Those that are published have 6 to 17 thousand. All of Python waits while one is read: 0.2 s for the worst."""
LARGEST_VERSION = 256 * 1024**2
"""Bytes of all files. Those that are published have less than two million."""
MOST_ENTRIES = 1_000
"""Files and folders of a version. Those that are published have five."""

_CARD = "model.json"
_MOST_DIGITS = 18  # of the number of a version: what fits into 64 bits, and what requests may ask for
_MOST_MISTAKES = 5  # of a card that are named...
_MOST_COUNTED = 1_000  # ...if it has no more than these: to list a hundred thousand takes a second
_PIECE = 1024**2

Fingerprint = tuple[tuple[str, int, int, int, int], ...]
"""The path, inode, size, time of change and time of change of the inode of each file and folder of a version: cheap to
take, and another for other files or other rights. One that cannot be looked at has the number of the error instead."""


def find_names(models_dir: Path) -> list[str]:
    """List the models of a folder; hidden folders are passed over, they may be half-written.

    A name may be one that Python cannot decode, and its folder one that cannot be read: see `find_versions`.

    Raises:
        OSError: if the folder cannot be listed.

    """
    with os.scandir(models_dir) as entries:
        return sorted(entry.name for entry in entries if _may_be_folder(entry) and not entry.name.startswith("."))


def find_versions(directory: Path) -> list[int]:
    """List the versions of the model in `directory`, the newest first; other folders are passed over.

    Raises:
        BrokenArtefact: if they cannot be listed, or the name of the model is not text.

    """
    if printable(directory.name) != directory.name:
        message = f"The name of {printable(str(directory))} is not valid UTF-8. Rename the folder."
        raise BrokenArtefact(message)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if _may_be_folder(entry)]
    except FileNotFoundError:  # taken away since it was found
        return []
    except OSError as error:
        message = (
            f"{directory} cannot be read ({error.strerror}). Let the service's user read it, or move it out of "
            f"{directory.parent}."
        )
        raise BrokenArtefact(message) from error
    return sorted((int(name) for name in names if _is_version(name)), reverse=True)


def printable(text: str) -> str:
    """Write what Python could not decode in the name of a file as escapes, so that it can be sent and logged."""
    return text.encode("utf-8", "backslashreplace").decode()


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a loop of links: whoever reads it is told what is wrong with it
        return True


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal() and name[0] != "0" and len(name) <= _MOST_DIGITS


def read_card(directory: Path) -> Card:
    """Read the model card of the version in `directory`, which is `<name>/<version>`.

    Raises:
        BrokenArtefact: if it is missing, does not follow the schema, or belongs to another version.

    """
    path = directory / _CARD
    try:
        with _open_regular(path) as file:
            content = file.read(LARGEST_CARD + 1)
        if len(content) > LARGEST_CARD:
            message = f"{path} has more than {LARGEST_CARD:,} bytes, the most that are read. Publish the version again."
            raise BrokenArtefact(message)
        card = Card.model_validate_json(content)
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Publish the version again."
        raise BrokenArtefact(message) from error
    except ValidationError as error:
        message = f"{path} does not follow the format in models/README.md. {_places(error)}. Publish the version again."
        raise BrokenArtefact(message) from error
    if (card.name, str(card.version)) != (directory.parent.name, directory.name):
        message = f"{path} says that it is {card.name}/{card.version}. Put the folder back where it was published."
        raise BrokenArtefact(message)
    return card


def _places(error: ValidationError) -> str:
    """Name the first mistakes of a card and their places."""
    if error.error_count() > _MOST_COUNTED:
        return f"It has {error.error_count():,} mistakes"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = [f"{'.'.join(map(str, each['loc'])) or 'file':.100}: {each['msg']:.200}" for each in found]
    more = [f"and {len(places) - _MOST_MISTAKES:,} more"] if len(places) > _MOST_MISTAKES else []
    return "; ".join(places[:_MOST_MISTAKES] + more)


def copy_verified(directory: Path, card: Card, target: Path) -> None:
    """Copy the files of the version in `directory`, all but its card, and compare each with its digest in the card.

    What is loaded is the copy. It is what was verified, whatever is done to the original meanwhile, and it is on a
    local disk: OpenVINO reads a model without letting go of Python's lock, so that all would wait for a network disk.

    Args:
        directory: the version.
        card: its card.
        target: an empty folder.

    Raises:
        BrokenArtefact: naming the first file that is altered, missing, unreadable or not in the card.
        OSError: if the copy cannot be written.

    """
    found = _find_files(directory) - {_CARD}
    for name in sorted(found ^ card.files.keys()):
        state = "is not in its model.json" if name in found else "is missing"
        message = f"{directory / name} {state}. Publish the version again."
        raise BrokenArtefact(message)
    left = LARGEST_VERSION
    for name, expected in card.files.items():
        digest, size = _copy(directory / name, target / name, left)
        left -= size
        if digest != expected:
            message = (
                f"{directory / name} has been altered: its SHA-256 is {digest}, expected {expected}. "
                "Publish the version again."
            )
            raise BrokenArtefact(message)


def _find_files(directory: Path) -> set[str]:
    entries = list(islice(_walk(directory), MOST_ENTRIES + 1))
    if len(entries) > MOST_ENTRIES:
        message = f"{directory} has more than {MOST_ENTRIES:,} files and folders. Publish the version again."
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


def _copy(source: Path, target: Path, most: int) -> tuple[str, int]:
    """Copy a file of at most so many bytes, and return the digest and the number of those it has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _open_source(source) as file, target.open("xb") as copy:
        while piece := _read_piece(file, source):
            size += len(piece)
            if size > most:
                message = (
                    f"{source.name} makes its version larger than {LARGEST_VERSION:,} bytes, the most that are read. "
                    "Publish a smaller model."
                )
                raise BrokenArtefact(message)
            digest.update(piece)
            copy.write(piece)
    return digest.hexdigest(), size


def _open_source(path: Path) -> IO[bytes]:
    try:
        return _open_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_piece(file: IO[bytes], path: Path) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as error:
        raise _unreadable(path, error) from error


def _open_regular(path: Path) -> IO[bytes]:
    """Open a file to read it, if it is a regular one: any other might never have anything to read, nor an end."""
    # Without O_NONBLOCK, opening a FIFO waits for somebody who writes to it.
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
    """Take the fingerprint of the version in `directory`; it is empty where there are no files."""
    return tuple(sorted(_describe(path, status) for path, status in islice(_walk(directory), MOST_ENTRIES + 1)))


def _describe(path: Path, status: os.stat_result | OSError) -> tuple[str, int, int, int, int]:
    if isinstance(status, OSError):
        return path.as_posix(), -1, status.errno or 0, 0, 0
    return path.as_posix(), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _walk(directory: Path) -> Iterator[tuple[Path, os.stat_result | OSError]]:
    """Go through all that is in a folder: each file and folder, with what is known of it or why nothing is.

    What is taken away between finding it and looking at it is left out. No link to a folder is followed.
    """
    folders = [directory]
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found = list(islice(entries, MOST_ENTRIES + 1))
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
