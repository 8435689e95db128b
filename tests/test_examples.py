"""The clients in `examples/`, each with a real service."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import playwright
import pytest

from tests.app.service import service

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NODE = shutil.which("node") or str(Path(playwright.__file__).parent / "driver" / "node")  # Playwright brings its own
CLIENTS = {"client.py": [sys.executable], "client.mjs": [NODE], "client.sh": ["sh"]}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service(WORKERS="1", ACCESS_LOG="false") as (_, url):
        yield url


def run(command: Sequence[str | Path], url: str) -> list[str]:
    environment = {**os.environ, "DIGITSERVE_URL": url}
    outcome = subprocess.run(  # noqa: S603 - the commands are those above
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.splitlines()


def test_every_example_is_run() -> None:
    assert {path.name for path in (ROOT / "examples").iterdir()} == set(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_prints_a_digit_a_doubt_and_an_error(url: str, name: str, tmp_path: Path) -> None:
    (text := tmp_path / "notes.txt").write_text("no picture")
    doubtful = ROOT / "app" / "page" / "sample-figure.webp"
    seven, doubt, error = run([*CLIENTS[name], f"examples/{name}", "docs/seven.png", doubtful, text], url)
    assert seven.startswith("docs/seven.png: 7 (confidence 0.99")
    assert doubt.startswith(f"{doubtful}: not sure (not_a_digit), perhaps ")
    assert error == f"{text}: Unsupported picture type"


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_has_twenty_lines(name: str) -> None:
    assert len((ROOT / "examples" / name).read_text().splitlines()) <= 20
