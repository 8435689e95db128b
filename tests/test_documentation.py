"""What the code names stands in the README, as the code has it."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

import imaging
from app.main import create_app
from app.settings import Settings
from app.web import problems
from training.publishing.results import results_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROTOCOLS = (ROOT / "docs" / "protocols.md").read_text()


def default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "the cores" if field.default_factory is not dict else ""
    if isinstance(field.default, frozenset):
        return ",".join(sorted(field.default))
    if field.default is None:
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_row(name: str) -> None:
    field = Settings.model_fields[name]
    assert f"| `{name.upper()}` | `{default(field)}` | {field.description} |" in README


def test_compose_passes_on_every_setting_but_those_of_the_container_itself() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    passed = re.search(r"environment: \[(.*?)\]", compose, re.DOTALL)
    assert passed
    of_the_container = {"HOST", "PORT", "MODELS_DIR"}
    assert {name.upper() for name in Settings.model_fields} - set(re.findall(r"\w+", passed[1])) == of_the_container


def test_every_route_is_named() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for path, operations in paths.items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in (PROTOCOLS if path.startswith(("/v1", "/v2")) else README)


def test_every_problem_is_named_with_its_status() -> None:
    for kind in {*problems.KINDS.values(), problems.INTERNAL}:
        assert re.search(rf"^\| {kind.status} \|.*`{kind.name}`", README, re.MULTILINE), kind


def test_the_results_are_those_of_the_cards() -> None:
    table = "\n".join(results_table(ROOT / "models"))
    assert f"<!-- results -->\n{table}\n<!-- /results -->" in README


def test_every_file_that_the_readme_sends_or_links_to_exists() -> None:
    for name in (*re.findall(r"file=@(\S+?) ", README), *re.findall(r"\]\((?!http)([^)]+)\)", README)):
        assert (ROOT / name).exists(), name


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_file_tree_names_every_module() -> None:
    for package in ("app", "training", "imaging"):
        for path in (ROOT / package).glob("*.py"):
            if not path.name.startswith("__"):
                assert re.search(rf"^  {path.name} ", README, re.MULTILINE), path


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
