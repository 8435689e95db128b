"""What there is to serve: the folder of models and the standing orders, seen together. Blocks; loads nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import BrokenArtefact
from app.model_repository.artefact import Fingerprint, find_names, find_versions, printable, take_fingerprint
from app.model_repository.control import Command, ModelControl


@dataclass(frozen=True)
class Scan:
    """What was found at one time."""

    numbers: Mapping[str, list[int]]  # of the versions of each model, the newest first
    unreadable: Mapping[str, str]  # models whose versions cannot be listed, and why
    fingerprints: Mapping[Path, Fingerprint]  # of those versions that were asked for
    control: Mapping[str, Command]


def scan(models_dir: Path, control: ModelControl, tried: Iterable[Path] = ()) -> Scan:
    """Look at the folder and at the orders.

    Args:
        models_dir: the folder.
        orders: of all workers.
        control: the commands to all workers.
        tried: the folders of versions whose fingerprints are wanted; it is empty where there are no files.

    Raises:
        OSError: if the folder cannot be listed. One model that cannot be read is no error.

    """
    numbers: dict[str, list[int]] = {}
    unreadable: dict[str, str] = {}
    for name in find_names(models_dir):
        try:
            numbers[name] = find_versions(models_dir / name)
        except BrokenArtefact as error:
            unreadable[printable(name)] = str(error)
    return Scan(
        numbers,
        unreadable,
        {directory: take_fingerprint(directory) for directory in tried},
        control.read(),
    )


def list_names(models_dir: Path) -> list[str]:
    """List the models of a folder, by the names that `survey` gives them.

    Raises:
        OSError: if the folder cannot be listed.

    """
    return [printable(name) for name in find_names(models_dir)]
