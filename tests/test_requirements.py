"""The pinned requirements are allowed by `pyproject.toml`."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
PINNED = [
    path
    for path in sorted((ROOT / "requirements").glob("*.txt"))
    if "--hash=" in path.read_text() and path.stem != "clients"  # whose environment does not have the project
]


def pins(text: str) -> list[tuple[str, str]]:
    """Return the pins of a file: normalised names (PEP 503) and versions. A name may have a version for each Python."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return [(canonicalize_name(name), version) for name, version in found]


def disallowed(declared: Iterable[str], pinned: list[tuple[str, str]]) -> list[str]:
    """Return the pins that a declared requirement does not allow."""
    return [
        f"{requirement} does not allow {version}"
        for requirement in map(Requirement, declared)
        for name, version in pinned
        if name == canonicalize_name(requirement.name)
        if not requirement.specifier.contains(version, prereleases=True)
    ]


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.name)
def test_every_pin_is_allowed(path: Path) -> None:
    pinned = pins(path.read_text())
    assert len(pinned) == len(re.findall(r"^[^\s#].*==", path.read_text(), re.MULTILINE)) > 10
    for declared in DECLARED.values():
        assert disallowed(declared, pinned) == []


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("serve", [""]),
        ("tracing", ["", "tracing"]),
        ("image", ["", "grpc", "tracing"]),
        ("score", ["", "s3", "score"]),
        ("ray", ["", "ray", "s3", "score"]),
        ("train", ["", "train"]),
        ("dev", [*DECLARED]),
    ],
)
def test_every_declared_requirement_is_pinned(name: str, extras: list[str]) -> None:
    pinned = dict(pins((ROOT / "requirements" / f"{name}.txt").read_text()))
    assert {canonicalize_name(Requirement(each).name) for extra in extras for each in DECLARED[extra]} <= pinned.keys()


def test_a_pin_outside_of_the_declared_range_is_found() -> None:
    pinned = pins('uvicorn==0.55.0 \\\n    --hash=sha256:00\nuvloop==0.22.1 ; sys_platform != "win32" \\\n')
    assert disallowed(DECLARED[""], pinned) == ["uvicorn<0.55,>=0.53 does not allow 0.55.0"]
    assert disallowed(DECLARED[""], [("uvicorn", "0.52.9")])
