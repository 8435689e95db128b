"""The allowed imports between packages, and between the rooms of `app`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "app": {"app", "imaging"},
    "training": {"training", "imaging"},
    "imaging": {"imaging"},
}

BASE = {"deadline", "errors", "schemas", "settings"}
"""Modules of `app` that every room may import, and that import no room."""
TOP = {"__main__", "healthcheck", "main"}
"""Modules of `app` that no room may import, except `main` by `server`."""
ROOMS = {
    "server": {"main", "feedback", "observability", "prediction", "model_repository", "inference", "routes", "web"},
    "routes": {"feedback", "model_repository", "observability", "prediction", "protocols", "web"},
    "grpc": {"inference", "model_repository", "observability", "protocols", "web"},
    "protocols": {"inference", "model_repository", "observability", "prediction"},
    "prediction": {"feedback", "inference", "model_repository", "observability"},
    "model_repository": {"inference", "observability"},
    "inference": set(),
    "feedback": set(),
    "web": set(),
    "observability": set(),
    "main": {"feedback", "grpc", "model_repository", "observability", "prediction", "protocols", "routes", "web"},
    "__main__": {"server"},
    "score": {"inference", "model_repository", "observability", "prediction"},
}
"""The rooms that each room imports, besides itself and the base."""

IMAGE_LIBRARIES = {"cv2", "PIL", "pillow_heif"}
DRAWING = ("training/data/pages/", "training/data/printed_symbols.py")
"""They may import them too: they draw, the reverse of reading, and `imaging` has nothing to draw with."""

GRPC = {"grpc", "grpc_health", "grpc_reflection", "google"}
SCORING = {"pyarrow", "ray", "tqdm"}
HTTP = {"fastapi", "fastapi_offline", "starlette", "multipart"}
HTTP_ROOMS = {"server", "routes", "web", "main"}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names of all that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def room_of(path: Path) -> str:
    """Name the room of a module of `app`: its folder, or its own name at the top."""
    parts = path.relative_to(ROOT / "app").with_suffix("").parts
    return parts[0]


def arrows() -> dict[str, set[str]]:
    """Find the rooms that each room of `app` imports, besides itself and the base."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "app").rglob("*.py"):
        room = room_of(path)
        imported = {name.split(".")[1] for name in imports(path) if name.startswith("app.")}
        found.setdefault(room, set()).update(imported - BASE - {room, "__version__"})
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_package_and_room_may(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    package = name.split("/", maxsplit=1)[0]
    imported = top_level(path)
    assert imported & set(PACKAGES) <= PACKAGES[package]
    if package != "app" or room_of(path) not in HTTP_ROOMS:
        assert not imported & HTTP
    if package != "app" or room_of(path) != "grpc":
        assert not imported & GRPC
    if package == "app" and room_of(path) != "score":
        assert not imported & SCORING
    if package != "app" or room_of(path) != "server":
        assert "uvicorn" not in imported
    if package != "imaging" and not name.startswith(DRAWING):
        assert not imported & IMAGE_LIBRARIES
    if package != "training" and name != "app/inference/saved_models.py":
        assert "tensorflow" not in imported


def test_the_rooms_of_app_import_no_other_rooms_than_these() -> None:
    found = {room: rooms for room, rooms in arrows().items() if rooms}
    assert found == {room: rooms for room, rooms in ROOMS.items() if rooms}


def test_no_room_imports_itself_through_others() -> None:
    def reach(room: str, seen: frozenset[str] = frozenset()) -> set[str]:
        return set().union(*({other} | reach(other, seen | {room}) for other in ROOMS[room] - seen), set())

    for room in ROOMS:
        assert room not in reach(room)


def test_the_top_of_app_holds_nothing_else() -> None:
    modules = {path.stem for path in (ROOT / "app").glob("*.py")}
    assert modules == BASE | TOP | {"__init__"}


def test_benchmarks_and_deployments_are_imported_by_nobody() -> None:
    for path in MODULES:
        assert not {"benchmarks", "deploy"} & top_level(path)


def test_deployments_use_the_application_and_its_settings_alone() -> None:
    for path in (ROOT / "deploy").rglob("*.py"):
        found = {name.rpartition(".")[0] for name in imports(path) if name.split(".")[0] in {*PACKAGES, "benchmarks"}}
        assert found <= {"app.main", "app.settings"}


def test_every_module_has_a_test_file_of_its_own() -> None:
    plain = {
        "card.py",
        "errors.py",
        "lifespan.py",
        "middleware.py",
        "observers.py",
        "parts.py",
        "schemas.py",
    }  # tested where they are used
    for path in MODULES:
        name = path.relative_to(ROOT)
        if path.name not in plain | {"__init__.py"} and not path.stem.endswith("_pb2"):
            assert (ROOT / "tests" / name.parent / f"test_{path.stem}.py").exists(), f"no test of {name}"
