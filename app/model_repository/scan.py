"""Scans the folder of models and the folder of commands. All functions block on the disk. They load no models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import BrokenArtefact
from app.model_repository.artefact import Fingerprint, find_models, find_versions, printable, take_fingerprint
from app.model_repository.control import Command, ModelControl


@dataclass(frozen=True)
class Scan:
    """What both folders hold at one time."""

    versions: Mapping[str, list[int]]  # of each model, the newest first
    listing_errors: Mapping[str, str]  # models whose versions cannot be listed, and why
    fingerprints: Mapping[Path, Fingerprint]  # of the requested version folders
    commands: Mapping[str, Command]


def scan(models_dir: Path, control: ModelControl, fingerprinted: Iterable[Path] = ()) -> Scan:
    """Scan both folders.

    Args:
        models_dir: the folder of models.
        control: the folder of commands.
        fingerprinted: the version folders to take fingerprints of. The fingerprint of a missing folder is empty.

    Raises:
        OSError: if the folder of models cannot be listed. A model whose versions cannot be listed is not an error.

    """
    versions: dict[str, list[int]] = {}
    listing_errors: dict[str, str] = {}
    for name in find_models(models_dir):
        try:
            versions[name] = find_versions(models_dir / name)
        except BrokenArtefact as error:
            listing_errors[printable(name)] = str(error)
    fingerprints = {directory: take_fingerprint(directory) for directory in fingerprinted}
    return Scan(versions, listing_errors, fingerprints, control.read_commands())


def list_models(models_dir: Path) -> list[str]:
    """List the models of a folder under the names that they have in a scan.

    Raises:
        OSError: if the folder cannot be listed.

    """
    return [printable(name) for name in find_models(models_dir)]
