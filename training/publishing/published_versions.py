"""The published versions of a model: find, withdraw and promote them. Does not read the files of a version.

The highest version is served. A withdrawn version is renamed to a hidden folder, and its number is not used again.
"""

import re
from pathlib import Path

from training.errors import ArtefactError
from training.registry import list_names

WITHDRAWN_PREFIX = ".withdrawn-"
VERSION = re.compile("[1-9][0-9]*")
"""The name of a version's folder: no 0 and no leading zeros."""


def list_versions(model: Path) -> list[int]:
    """List the published versions in the folder of a model, in ascending order. A missing folder has none."""
    return _numbered_folders(model, "")


def list_withdrawn_versions(model: Path) -> list[int]:
    """List the withdrawn versions in the folder of a model, in ascending order."""
    return _numbered_folders(model, WITHDRAWN_PREFIX)


def _numbered_folders(model: Path, prefix: str) -> list[int]:
    paths = model.iterdir() if model.is_dir() else ()
    numbers = (path.name.removeprefix(prefix) for path in paths if path.name.startswith(prefix))
    return sorted(int(number) for number in numbers if VERSION.fullmatch(number))


def next_version(model: Path) -> int:
    """Return the version after the highest one that was ever published in the folder of a model."""
    return max([*list_versions(model), *list_withdrawn_versions(model)], default=0) + 1


def find_version(models: Path, name: str, version: int | None = None) -> Path:
    """Return the folder of a version of a model, by default the highest. Raises ArtefactError if there is none."""
    available = list_versions(models / name)
    if not available:
        train_one = f"Train one: python -m training train {name} --models {models}"
        names = list_names()
        what_to_do = train_one if name in names else f"Models: {', '.join(names)}."
        msg = f"Model '{name}' has no version in {models}. {what_to_do}"
        raise ArtefactError(msg)
    if version is not None and version not in available:
        msg = f"Model '{name}' has no version {version}. Available versions: {', '.join(map(str, available))}."
        raise ArtefactError(msg)
    return models / name / str(available[-1] if version is None else version)


def resolve_version(models: Path, reference: str) -> Path:
    """Return the folder of `<name>/<version>`, or of the highest version of `<name>`.

    Raises ArtefactError if there is no such version, or if the reference is malformed.
    """
    name, _, version = reference.partition("/")
    if version and not (version.isascii() and version.isdecimal()):
        msg = f"'{reference}' is not a version. Expected a model and a number, such as convnet/2, or a model."
        raise ArtefactError(msg)
    return find_version(models, name, int(version) if version else None)


def find_teacher(models: Path, reference: str) -> Path:
    """Return the folder of a teacher, as `resolve_version` does. Raises ArtefactError if it is missing."""
    try:
        return resolve_version(models, reference)
    except ArtefactError as error:
        name, _, version = reference.partition("/")
        withdrawn = models / name / f"{WITHDRAWN_PREFIX}{version}"
        what_to_do = f"Train it: python -m training train {name} --models {models}"
        if version:
            what_to_do = f"It was withdrawn: rename {withdrawn} to {version}" if withdrawn.exists() else "Add it"
        msg = f"The teacher {reference} is not in {models}. {what_to_do}. Or train without a teacher: --without-teacher"
        raise ArtefactError(msg) from error


def rollback(models: Path, name: str) -> Path:
    """Withdraw the highest version of a model. Return the folder of the version that is served now.

    Raises ArtefactError if there is no lower version.
    """
    highest = find_version(models, name)
    lower = list_versions(models / name)[:-1]
    if not lower:
        msg = f"{highest} is the only version of '{name}', so it cannot be rolled back. Train another version first."
        raise ArtefactError(msg)
    _withdraw(highest)
    return models / name / str(lower[-1])


def promote(models: Path, name: str, version: int) -> Path:
    """Make a version of a model the served one, and return its folder.

    Restores the version if it was withdrawn, and withdraws all higher versions. Raises ArtefactError if the version was
    never published.
    """
    model = models / name
    promoted = model / str(version)
    if version in list_withdrawn_versions(model):
        (model / f"{WITHDRAWN_PREFIX}{version}").rename(promoted)
    elif version not in list_versions(model):
        known = ", ".join(map(str, sorted(list_versions(model) + list_withdrawn_versions(model)))) or "none"
        msg = f"Model '{name}' has no version {version} in {models}, published or withdrawn. Versions: {known}."
        raise ArtefactError(msg)
    for higher in list_versions(model):
        if higher > version:
            _withdraw(model / str(higher))
    return promoted


def _withdraw(version: Path) -> None:
    version.rename(version.with_name(f"{WITHDRAWN_PREFIX}{version.name}"))
