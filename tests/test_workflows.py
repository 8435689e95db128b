"""The GitHub workflows: names that exist, versions of Python that are supported, and least permissions."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
JOBS = {name: job for workflow in WORKFLOWS.values() for name, job in workflow["jobs"].items()}
MAKEFILE = (ROOT / "Makefile").read_text()


def steps(job: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [step.get("with", {}) for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


def test_there_are_a_check_a_test_and_an_image() -> None:
    assert WORKFLOWS.keys() == JOBS.keys() == {"check", "test", "image"}


def test_each_runs_on_its_event() -> None:
    events = {name: workflow[True] for name, workflow in WORKFLOWS.items()}  # YAML 1.1 takes the key `on` for true
    assert events == {
        "check": {"push": {"branches": ["**"]}},
        "test": {"pull_request": None},
        "image": {"push": {"tags": ["v*"]}},
    }


@pytest.mark.parametrize(("name", "permissions"), [("check", {}), ("test", {}), ("image", {"packages": "write"})])
def test_a_job_may_do_no_more_than_it_has_to(name: str, permissions: dict[str, str]) -> None:
    allowed = JOBS[name].get("permissions", WORKFLOWS[name]["permissions"])
    assert allowed == {"contents": "read"} | permissions
    assert steps(JOBS[name], "actions/checkout") == [{"persist-credentials": False}]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_bounded(name: str) -> None:
    assert JOBS[name]["timeout-minutes"] <= 90
    assert "github.ref" in WORKFLOWS[name]["concurrency"]["group"]
    for step in JOBS[name]["steps"]:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step["uses"]) if "uses" in step else step["run"]


@pytest.mark.parametrize(("name", "target"), [("check", "check"), ("test", "test")])
def test_a_job_makes_its_target(name: str, target: str) -> None:
    assert JOBS[name]["steps"][-1] == {"run": f"make {target}"}
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_the_tested_versions_of_python_are_those_that_can_be_installed() -> None:
    supported = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    newest = re.search(r"/dev: NEWEST_PYTHON := 3, (\d+)$", MAKEFILE, re.MULTILINE)
    assert newest
    versions = [f"3.{minor}" for minor in range(int(newest[1]) + 1) if f"3.{minor}" in supported]
    assert JOBS["test"]["strategy"]["matrix"]["python"] == versions
    assert steps(JOBS["check"], "actions/setup-python")[0]["python-version"] in versions


def test_cached_requirements_exist() -> None:
    for job in JOBS.values():
        for setup in steps(job, "actions/setup-python"):
            for name in setup["cache-dependency-path"].split():
                assert (ROOT / name).is_file(), name


def test_the_images_are_the_targets_of_the_dockerfile() -> None:
    stages = re.findall(r"^FROM \S+ AS ([\w-]+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    targets = {variant["target"] for variant in JOBS["image"]["strategy"]["matrix"]["include"]}
    assert targets == {stage for stage in stages if stage != "base" and not stage.endswith("-packages")}
    (build,) = steps(JOBS["image"], "docker/build-push-action")
    assert (build["platforms"], build["sbom"], build["provenance"]) == ("linux/amd64,linux/arm64", True, "mode=max")


def test_pre_commit_checks_what_make_check_checks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    local = {hook["entry"] for repository in hooks if repository["repo"] == "local" for hook in repository["hooks"]}
    assert {".venv/bin/ruff format", ".venv/bin/ruff check", ".venv/bin/mypy"} == local
    lint = re.search(r"^lint: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert lint
    for entry in local:
        assert entry.replace(".venv/bin", "$(BIN)") in lint[1]
