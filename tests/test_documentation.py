"""The documentation names what the code has: settings, routes, errors, results, modules, imports, files."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

import imaging
from app.main import create_app
from app.settings import Settings
from app.web import problems
from tests.test_architecture import ROOMS
from training.publishing.results import results_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
HTTP = (ROOT / "docs" / "http.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROTOCOLS = (ROOT / "docs" / "protocols.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "models" / "README.md"])
FOLDERS = sorted({path.parent for package in ("app", "training", "imaging") for path in (ROOT / package).rglob("*.py")})


def default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "the cores" if field.default_factory is not dict else ""
    if isinstance(field.default, frozenset):
        return ",".join(sorted(field.default))
    if field.default is None:
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each relative link of a page."""
    for target in re.findall(r"\]\((?![a-z]+:)([^)]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        yield (page.parent / name if name else page), anchor


def mermaid_arrows(page: str) -> dict[str, set[str]]:
    """Return the nodes of the first mermaid graph, each with the nodes that its arrows point to."""
    graph = re.search(r"^```mermaid\ngraph TD\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert graph
    statements = [line.split("-->") for line in graph[1].splitlines()]
    return {
        source.strip(): {target.strip() for target in "".join(targets).split("&")} - {""}
        for source, *targets in statements
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_row(name: str) -> None:
    field = Settings.model_fields[name]
    assert f"| `{name.upper()}` | `{default(field)}` | {field.description} |" in SETTINGS


@pytest.mark.parametrize("page", [SETTINGS, OPERATIONS], ids=["settings", "operations"])
def test_the_versions_in_examples_of_settings_exist(page: str) -> None:
    rows = "\n".join(line for line in page.splitlines() if "MODEL_VERSIONS" in line or "SHADOW" in line)
    named = re.findall(r"\b([a-z]+)[:@](\d+)\b", rows)
    assert named != []
    assert [version for version in named if not (ROOT / "models").joinpath(*version).is_dir()] == []


def test_no_row_is_of_a_setting_that_is_gone() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE) == [name.upper() for name in Settings.model_fields]


def test_compose_passes_on_every_setting_but_those_of_the_container_itself() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    passed = re.search(r"environment: \[(.*?)\]", compose, re.DOTALL)
    assert passed
    of_the_container = {"HOST", "PORT", "MODELS_DIR", "MODELS_CACHE_DIR"}
    assert {name.upper() for name in Settings.model_fields} - set(re.findall(r"\w+", passed[1])) == of_the_container


def test_every_route_is_named() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for path, operations in paths.items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in (PROTOCOLS if path.startswith(("/v1", "/v2")) else HTTP)


def test_every_problem_is_named_with_its_status() -> None:
    for kind in {*problems.PROBLEM_TYPES.values(), problems.INTERNAL}:
        assert re.search(rf"^\| {kind.status} \|.*`{kind.name}`", HTTP, re.MULTILINE), kind


def test_every_metric_is_named() -> None:
    modules = [*(ROOT / "app" / "observability").glob("*.py"), ROOT / "app" / "model_repository" / "model_collector.py"]
    names = {name for path in modules for name in re.findall(r'"(digitserve_\w+)"', path.read_text())}
    assert names == {
        name.removesuffix("_total") for name in re.findall(r"^\| `(digitserve_\w+)` \|", OPERATIONS, re.MULTILINE)
    }


def test_the_results_are_those_of_the_cards() -> None:
    table = "\n".join(results_table(ROOT / "models"))
    assert f"<!-- results -->\n{table}\n<!-- /results -->" in README


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        if anchor:
            assert anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_command_sends_exists(page: Path) -> None:
    for name in re.findall(r"@(docs/\S+?)[\s'\"]", page.read_text()):
        assert (ROOT / name).exists(), name


def test_the_readme_links_to_every_page() -> None:
    named = {target.resolve() for target, _ in links(ROOT / "README.md")}
    assert set(PAGES) - {ROOT / "README.md"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_is_named_by_its_path_exists(page: Path) -> None:
    for name in re.findall(r"\b((?:app|imaging|training|tests|benchmarks)/[\w/]+\.(?:py|js))\b", page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_the_page_on_architecture_names_every_module(folder: Path) -> None:
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    heading = rf"^### `{folder.relative_to(ROOT)}/`\n(.*?)(?=^#|\Z)"
    section = re.search(heading, ARCHITECTURE, re.MULTILINE | re.DOTALL)
    assert section
    assert set(re.findall(r"^\| `(\w+\.py)` \|", section[1], re.MULTILINE)) == modules


def test_the_page_on_architecture_names_no_folder_that_is_gone() -> None:
    folders = {folder.relative_to(ROOT).as_posix() for folder in FOLDERS if len([*folder.glob("*.py")]) > 1}
    assert set(re.findall(r"^### `([\w/]+)/`$", ARCHITECTURE, re.MULTILINE)) == folders


def test_the_graph_has_the_imports_that_are_allowed() -> None:
    assert mermaid_arrows(ARCHITECTURE) == ROOMS


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == imaging.__version__.removesuffix(".dev0")
    assert (newest[2] == "Unreleased") == imaging.__version__.endswith(".dev0")


def test_the_version_has_one_source() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in pyproject["project"]["dynamic"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "imaging.__version__"
    modules = [path for package in ("app", "imaging", "training") for path in (ROOT / package).rglob("*.py")]
    assert [path for path in modules if re.search("^__version__", path.read_text(), re.MULTILINE)] == [
        ROOT / "imaging" / "__init__.py"
    ]
