"""Publishes artefacts, which are SavedModels with a model card, and verifies them by their digests.

`models/README.md` describes the format. Knows nothing of what is in a SavedModel, and does not import TensorFlow.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.errors import ArtefactError
from training.publishing.published_versions import find_version, list_versions, next_version

CARD = "model.json"
HOW_TO_REPAIR = "Restore its published files, or move the folder elsewhere."


def publish(save: Callable[[Path], None], card: dict[str, Any], models: Path) -> Path:
    """Publish the next version of the model that the card names, and return its folder.

    Adds `version`, `created_at` and `files` to the card. Publishing is atomic: the files are written to a hidden
    folder, flushed to disk and renamed. Two runs that publish at the same time get different versions.

    Args:
        save: Writes the SavedModel to a folder.
        card: The model card, without these three fields.
        models: The folder of published models.

    """
    model = models / card["name"]
    model.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{next_version(model)}-", dir=model))
    try:
        staging.chmod(0o755)  # mkdtemp allows only the owner; the service may run as another user
        save(staging)
        return _rename_to_next_version(staging, card)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _rename_to_next_version(staging: Path, card: dict[str, Any]) -> Path:
    model = staging.parent
    files = digests(staging)
    while True:
        version = next_version(model)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_card({**card, "version": version, "created_at": created_at, "files": files}, staging)
        flush_to_disk(staging)
        try:
            published = staging.rename(model / str(version))
        except OSError:
            if not (model / str(version)).exists():
                raise
            continue  # another run has published this version meanwhile
        _fsync(model)
        return published


def copy_saved_model(published: Path, folder: Path) -> None:
    """Copy the SavedModel of a published version to a folder, without its model card."""
    shutil.copytree(published, folder, ignore=shutil.ignore_patterns(CARD), dirs_exist_ok=True)


def read_card(folder: Path) -> dict[str, Any]:
    """Return the model card of an artefact. Raises ArtefactError if it is invalid, or if a file's digest differs."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder / CARD} cannot be read: {error}. {HOW_TO_REPAIR}"
        raise ArtefactError(msg) from error
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        msg = f"{folder / CARD} is not a model card: expected an object with the digests of its files. {HOW_TO_REPAIR}"
        raise ArtefactError(msg)
    found = digests(folder)
    differing = sorted({path for path, _ in found.items() ^ card["files"].items()})
    if differing:
        msg = f"{folder} does not match the digests in its {CARD}: {', '.join(differing)}. {HOW_TO_REPAIR}"
        raise ArtefactError(msg)
    return card


def read_served_card(models: Path, name: str) -> dict[str, Any] | None:
    """Return the model card of the served version of a model, the highest one, or None if there is no version.

    Raises ArtefactError if it is damaged. The message says that a new version would be compared with it.
    """
    if not list_versions(models / name):
        return None
    try:
        return read_card(find_version(models, name))
    except ArtefactError as error:
        msg = (
            f"The served version, with which a new version is compared, is damaged. {error} "
            f"Or roll it back: python -m training rollback {name} --models {models}"
        )
        raise ArtefactError(msg) from error


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, except the card, by its path relative to the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write `model.json` to a folder."""
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def flush_to_disk(folder: Path) -> None:
    """Flush a folder and its files to disk, so that after a crash a renamed folder has all its files."""
    for path in [*folder.rglob("*"), folder]:
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
