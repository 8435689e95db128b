"""A folder of `models/` on disk: finding, reading and verifying it, as `models/README.md` has it. Loads nothing."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from app.card import Card
from app.errors import BrokenArtefact

_CARD = "model.json"

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""The path, inode, size and time of change of each file of a version: cheap to take, and another for other files."""


def find_names(models_dir: Path) -> list[str]:
    """List the models of a folder; hidden folders are passed over, they may be half-written."""
    return sorted(entry.name for entry in models_dir.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def find_versions(directory: Path) -> list[int]:
    """List the versions of the model in `directory`, the newest first; other folders are passed over."""
    names = (entry.name for entry in directory.iterdir() if entry.is_dir())
    return sorted((int(name) for name in names if name.isascii() and name.isdecimal() and name[0] != "0"), reverse=True)


def read_card(directory: Path) -> Card:
    """Read the model card of the version in `directory`, which is `<name>/<version>`.

    Raises:
        BrokenArtefact: if it is missing, does not follow the schema, or belongs to another version.

    """
    path = directory / _CARD
    try:
        card = Card.model_validate_json(path.read_bytes())
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Publish the version again."
        raise BrokenArtefact(message) from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, found['loc'])) or 'file'}: {found['msg']}" for found in error.errors())
        message = f"{path} does not follow the format in models/README.md. {places}. Publish the version again."
        raise BrokenArtefact(message) from error
    if (card.name, str(card.version)) != (directory.parent.name, directory.name):
        message = f"{path} says that it is {card.name}/{card.version}. Put the folder back where it was published."
        raise BrokenArtefact(message)
    return card


def verify(directory: Path, card: Card) -> None:
    """Compare every file of the version in `directory` with its digest in the card.

    Raises:
        BrokenArtefact: naming the first file that is altered, missing or not in the card.

    """
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()} - {_CARD}
    for name in sorted(found ^ card.files.keys()):
        state = "is not in its model.json" if name in found else "is missing"
        message = f"{directory / name} {state}. Publish the version again."
        raise BrokenArtefact(message)
    for name, expected in card.files.items():
        digest = hashlib.sha256((directory / name).read_bytes()).hexdigest()
        if digest != expected:
            message = (
                f"{directory / name} has been altered: its SHA-256 is {digest}, expected {expected}. "
                "Publish the version again."
            )
            raise BrokenArtefact(message)


def take_fingerprint(directory: Path) -> Fingerprint:
    """Take the fingerprint of the version in `directory`; it is empty where there are no files."""
    return tuple(sorted(_describe_files(directory)))


def _describe_files(directory: Path) -> Iterator[tuple[str, int, int, int]]:
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):  # taken away between finding it and looking at it
            status = path.stat()
            yield path.as_posix(), status.st_ino, status.st_size, status.st_mtime_ns
