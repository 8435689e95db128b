"""Which versions of a model are published, and taking them back and forth. Knows folders, not what is in them.

The highest version is served. A version that is withdrawn keeps its number, which no other will have, and waits in a
hidden folder beside its siblings.
"""

import re
from pathlib import Path

from training.config import MODEL_NAMES
from training.errors import ArtefactError

WITHDRAWN = ".withdrawn-"
VERSION = re.compile("[1-9][0-9]*")
"""How a version is written: 0 is none, and 007 would be looked for as 7."""


def versions(siblings: Path) -> list[int]:
    """List the published versions of a model, lowest first; a folder that is not there has none."""
    return _numbered(siblings, "")


def withdrawn(siblings: Path) -> list[int]:
    """List the versions that were withdrawn, lowest first."""
    return _numbered(siblings, WITHDRAWN)


def _numbered(siblings: Path, prefix: str) -> list[int]:
    paths = siblings.iterdir() if siblings.is_dir() else ()
    numbers = (path.name.removeprefix(prefix) for path in paths if path.name.startswith(prefix))
    return sorted(int(number) for number in numbers if VERSION.fullmatch(number))


def next_version(siblings: Path) -> int:
    """Give the version after the highest one that was ever published."""
    return max([*versions(siblings), *withdrawn(siblings)], default=0) + 1


def find_version(models: Path, name: str, version: int | None = None) -> Path:
    """Give the folder of a version of a model, the highest unless one is asked for, or raise ArtefactError."""
    available = versions(models / name)
    if not available:
        make_one = f"Make one: python -m training train {name} --models {models}"
        what_to_do = make_one if name in MODEL_NAMES else f"Models: {', '.join(MODEL_NAMES)}."
        msg = f"Model '{name}' has no version in {models}. {what_to_do}"
        raise ArtefactError(msg)
    if version is not None and version not in available:
        msg = f"Model '{name}' has no version {version}. Available versions: {', '.join(map(str, available))}."
        raise ArtefactError(msg)
    return models / name / str(available[-1] if version is None else version)


def find_named(models: Path, named: str) -> Path:
    """Give the folder of `<name>/<version>`, or of the highest version of `<name>`, or raise ArtefactError."""
    name, _, version = named.partition("/")
    if version and not (version.isascii() and version.isdecimal()):
        msg = f"'{named}' is no version. Expected a model and a number, such as convnet/2, or a model alone."
        raise ArtefactError(msg)
    return find_version(models, name, int(version) if version else None)


def find_teacher(models: Path, named: str) -> Path:
    """Give the folder of the version that another is to learn from, as `find_named` does, or raise ArtefactError."""
    try:
        return find_named(models, named)
    except ArtefactError as error:
        name, _, version = named.partition("/")
        hidden = models / name / f"{WITHDRAWN}{version}"
        is_there = f"It was withdrawn: rename {hidden} to {version}" if hidden.exists() else "Put that version there"
        msg = (
            f"The teacher {named} is not in {models}, where it was to be learnt from. {is_there}, or learn without it: "
            "--without-teacher"
        )
        raise ArtefactError(msg) from error


def rollback(models: Path, name: str) -> Path:
    """Withdraw the highest version of a model, and give the folder of the one that is served now.

    Raises ArtefactError if there is none below it.
    """
    highest = find_version(models, name)
    below = versions(models / name)[:-1]
    if not below:
        msg = f"{highest} is the only version of '{name}': there is none to roll back to. Train another one first."
        raise ArtefactError(msg)
    _withdraw(highest)
    return models / name / str(below[-1])


def promote(models: Path, name: str, version: int) -> Path:
    """Have a version of a model served, and give its folder: bring it back if need be, and withdraw all above it.

    Raises ArtefactError if there never was such a version.
    """
    siblings = models / name
    promoted = siblings / str(version)
    if version in withdrawn(siblings):
        (siblings / f"{WITHDRAWN}{version}").rename(promoted)
    elif version not in versions(siblings):
        known = ", ".join(map(str, sorted(versions(siblings) + withdrawn(siblings)))) or "none"
        msg = f"Model '{name}' has no version {version} in {models}, published or withdrawn. Versions: {known}."
        raise ArtefactError(msg)
    for above in versions(siblings):
        if above > version:
            _withdraw(siblings / str(above))
    return promoted


def _withdraw(version: Path) -> None:
    version.rename(version.with_name(f"{WITHDRAWN}{version.name}"))
