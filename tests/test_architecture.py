"""The arrows between the packages: who may import whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"app", "imaging", "training"}
ALLOWED = {"app": {"app", "imaging"}, "training": {"training", "imaging"}, "imaging": {"imaging"}}
HTTP = {"fastapi", "fastapi_offline", "starlette", "uvicorn", "multipart"}
SPEAK_HTTP = {
    "app/admission.py",
    "app/decompression.py",
    "app/door.py",
    "app/express.py",
    "app/flow_control.py",
    "app/guard.py",
    "app/head_method.py",
    "app/intake.py",
    "app/journal.py",
    "app/main.py",
    "app/middleware.py",
    "app/problems.py",
    "app/protocol.py",
    "app/shortcut.py",
    "app/supervisor.py",
    "app/uploads.py",
    "app/routes/documentation.py",
    "app/routes/explain.py",
    "app/routes/feedback.py",
    "app/routes/health.py",
    "app/routes/models.py",
    "app/routes/page.py",
    "app/routes/predict.py",
    "app/routes/tfserving.py",
    "app/routes/v2.py",
}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Go through the top-level names of all that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_room_knows(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    package = name.split("/", maxsplit=1)[0]
    imported = set(imports(path))
    assert imported & PACKAGES <= ALLOWED[package]
    if name not in SPEAK_HTTP:
        assert not imported & HTTP
    if package != "imaging":
        assert not imported & {"cv2", "PIL"}
    if package != "training" and name != "app/engine.py":
        assert "tensorflow" not in imported


def test_benchmarks_are_imported_by_nobody() -> None:
    for path in MODULES:
        assert "benchmarks" not in set(imports(path))


def test_every_module_has_a_test_file_of_its_own() -> None:
    plain = {"card.py", "errors.py", "schemas.py"}  # declarations, tested where they are used
    for path in MODULES:
        name = path.relative_to(ROOT)
        if path.name not in plain | {"__init__.py"}:
            assert (ROOT / "tests" / name.parent / f"test_{path.stem}.py").exists(), f"no test of {name}"
