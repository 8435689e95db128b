"""The check of the Python version before an installation, and the targets: `make help` and documents name them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
# Replaces Python of any version: runs code with that version, copies itself into environments, and logs other calls.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-c "*) exec {python} -c "import sys; sys.version_info = ({version}, 0, 'final', 0); exec(sys.argv[1])" "$2";;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;
  *) echo "$@" >> {log};;
esac
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=outside, capture_output=True, text=True, check=False)  # noqa: S603, S607


def install(target: str, version: tuple[int, int], log: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    fake = log.parent / "python"
    fake.write_text(FAKE_PYTHON.format(python=sys.executable, version="{}, {}".format(*version), log=log))
    fake.chmod(0o755)
    venv = log.parent / "venv"
    return make(f"PYTHON={fake}", f"VENV={venv}", target if settings else f"{venv}/{target}", *settings)


@pytest.mark.parametrize("target", ["train", "dev"])
def test_a_python_without_tensorflow_is_refused_before_anything_is_installed(target: str, log: Path) -> None:
    done = install(target, (3, 14), log)
    assert done.returncode
    assert "TensorFlow has no wheels for Python 3.14, only up to 3.13." in done.stderr
    assert "make PYTHON=python3.13" in done.stderr
    assert {path.name for path in log.parent.iterdir()} == {"python"}


def test_serving_accepts_a_python_without_tensorflow(log: Path) -> None:
    assert install("serve", (3, 14), log).returncode == 0
    assert "-r requirements/serve.txt" in log.read_text()


@pytest.mark.parametrize("setting", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_serving_with_traces_installs_their_packages_first(setting: str, log: Path) -> None:
    assert install("serve", (3, 13), log, f"{setting}=http://127.0.0.1:4318").returncode == 0
    installed, started = log.read_text().splitlines()
    assert "-r requirements/tracing.txt" in installed
    assert started == "-m app"


def test_scoring_installs_its_packages_and_passes_its_variables_on(log: Path) -> None:
    assert install("score", (3, 14), log, "SOURCE=my pictures/*.png", "OUT=s3://b/r.parquet").returncode == 0
    installed, started = log.read_text().splitlines()
    assert "-r requirements/score.txt" in installed
    assert started == "-m app.score my pictures/*.png --out s3://b/r.parquet"


def test_scoring_needs_both_variables(log: Path) -> None:
    done = install("score", (3, 14), log, "SOURCE=pictures")
    assert done.returncode
    assert "make score SOURCE=pictures OUT=results.parquet" in done.stderr


def test_an_existing_environment_for_serving_is_refused(log: Path) -> None:
    install("serve", (3, 14), log)
    done = install("dev", (3, 13), log)
    assert done.returncode
    assert "make clean, then make PYTHON=python3.13" in done.stderr
    assert "dev.txt" not in log.read_text()


@pytest.mark.parametrize("version", [(3, 11), (3, 13)])
def test_other_versions_are_accepted(version: tuple[int, int], log: Path) -> None:
    assert install("dev", version, log).returncode == 0
    assert "-r requirements/dev.txt" in log.read_text()


@pytest.mark.parametrize("version", [(2, 7), (3, 10)])
def test_an_old_python_is_refused(version: tuple[int, int], log: Path) -> None:
    done = install("serve", version, log)
    assert done.returncode
    assert "Python 3.11 or later is needed, not {}.{}.".format(*version) in done.stderr
    assert not log.exists()


def test_help_is_a_table_of_all_targets() -> None:
    done = make("help")
    lines = done.stdout.splitlines()
    targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets
    assert sorted(line.split()[0] for line in lines) == sorted(targets[1].split())
    assert {re.match(r"[a-z]+ +", line).end() for line in lines} == {14}  # type: ignore[union-attr]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md"])
def test_documents_name_targets_and_files_that_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    targets = set(re.findall(r"`make ([a-z]+)", text))
    assert targets
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / name).exists(), name
