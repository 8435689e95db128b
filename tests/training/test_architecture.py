"""The imports between the parts of `training`: its packages, and each module beside them."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

TRAINING = Path(__file__).parents[2] / "training"
MODULES = sorted(path for path in TRAINING.rglob("*.py") if path.parent != TRAINING or path.stem != "__init__")

ALLOWED = {
    # The lesson.
    ("loop", "data"),
    ("loop", "networks"),
    # What is added to it.
    ("batch_normalisation", "networks"),
    ("batch_normalisation", "recipes"),
    ("batch_preparation", "data"),
    ("batch_preparation", "distillation"),
    ("batch_preparation", "loop"),
    ("batch_preparation", "recipes"),
    ("builders", "batch_normalisation"),
    ("builders", "networks"),
    ("builders", "recipes"),
    ("callbacks", "progress"),
    ("distillation", "networks"),
    ("distillation", "publishing"),
    ("distillation", "recipes"),
    ("optimizers", "recipes"),
    ("folders", "errors"),
    ("provenance", "data"),
    ("provenance", "recipes"),
    ("recipes", "errors"),
    ("registry", "errors"),
    ("registry", "recipes"),
    # The packages.
    ("data", "errors"),
    ("data", "folders"),
    ("data", "recipes"),
    ("evaluation", "data"),
    ("evaluation", "errors"),
    ("evaluation", "provenance"),
    ("publishing", "data"),
    ("publishing", "errors"),
    ("publishing", "folders"),
    ("publishing", "networks"),
    ("publishing", "progress"),
    ("publishing", "registry"),
    # The finder: its training, its evaluation and its runs.
    ("finder", "batch_normalisation"),
    ("finder", "callbacks"),
    ("finder", "data"),
    ("finder", "errors"),
    ("finder", "evaluation"),
    ("finder", "networks"),
    ("finder", "progress"),
    ("finder", "publishing"),
    ("finder", "recipes"),
    ("finder", "summary"),
    # What puts everything together.
    ("run", "batch_preparation"),
    ("run", "callbacks"),
    ("run", "data"),
    ("run", "distillation"),
    ("run", "errors"),
    ("run", "evaluation"),
    ("run", "loop"),
    ("run", "optimizers"),
    ("run", "progress"),
    ("run", "provenance"),
    ("run", "publishing"),
    ("run", "recipes"),
    ("run", "registry"),
    ("run", "summary"),
    ("cli", "data"),
    ("cli", "errors"),
    ("cli", "evaluation"),
    ("cli", "finder"),
    ("cli", "folders"),
    ("cli", "networks"),
    ("cli", "progress"),
    ("cli", "provenance"),
    ("cli", "publishing"),
    ("cli", "recipes"),
    ("cli", "registry"),
    ("cli", "run"),
    ("__main__", "cli"),
}
"""Pairs of a part and a part that it may import."""


def part_of(path: Path) -> str:
    """Return the package or the top-level module that a file belongs to."""
    return path.relative_to(TRAINING).with_suffix("").parts[0]


def imported_parts(path: Path) -> Iterator[str]:
    """Yield the parts of `training` that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "training":
            _, *names = str(node.module).split(".")
            yield from names[:1] or [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (parts[1] for parts in names if parts[0] == "training" and len(parts) > 1)


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules of `training` from which a file imports names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("training"):
            yield str(node.module)


def imports_between_parts(path: Path) -> set[tuple[str, str]]:
    return {(part_of(path), imported) for imported in imported_parts(path) if imported != part_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TRAINING)))
def test_a_module_imports_only_the_parts_that_it_may(path: Path) -> None:
    assert imports_between_parts(path) <= ALLOWED


def test_every_allowed_import_is_used() -> None:
    assert set().union(*map(imports_between_parts, MODULES)) == ALLOWED


def test_the_parts_have_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for importer, imported in ALLOWED:
        graph.setdefault(importer, set()).add(imported)
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_lesson_knows_nothing_of_what_is_added_to_it() -> None:
    lesson = {"networks", "loop"}
    assert {imported for importer, imported in ALLOWED if importer in lesson} - lesson == {"data"}
    imported = {name for module in lesson for name in imported_modules(TRAINING / f"{module}.py")}
    assert imported == {"training.data.examples", "training.networks"}


@pytest.mark.parametrize("name", ["networks.py", "loop.py"])
def test_the_lesson_is_read_in_ten_minutes(name: str) -> None:
    assert len((TRAINING / name).read_text().splitlines()) <= 100
