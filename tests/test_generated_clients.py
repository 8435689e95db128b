"""Clients that are generated from the OpenAPI document of a running service, and call it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.service import service

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
BIN = Path(sys.prefix) / "clients" / "bin"
TOKEN = "secret"  # noqa: S105 - of no service
# OpenAPI Generator 7.26 warns of these for every document of OpenAPI 3.1, and for every form with several files.
UNAVOIDABLE = ("OpenAPI 3.1 support is still in beta", "schema name: null", "datatypeWithEnum from bytes, null")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = {"FEEDBACK_DIR": str(tmp_path_factory.mktemp("feedback")), "REQUIRED_MODELS": "convnet,finder"}
    with service(WORKERS="1", ACCESS_LOG="false", PREDICT_TOKEN=TOKEN, **settings) as (_, url):
        yield url


@pytest.fixture(scope="module")
def document(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(httpx.get(f"{url}/openapi.json").json()))
    return path


def run(*command: str | Path, folder: Path) -> str:
    """Run a program of the clients' environment in `folder`, from which Python also imports. Return its output."""
    if not BIN.exists():
        pytest.fail("The clients are not installed. `make .venv/clients/installed` does it, and `make test` too.")
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    outcome = subprocess.run(  # noqa: S603
        [BIN / command[0], *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = outcome.stdout + outcome.stderr
    assert outcome.returncode == 0, output[-3000:]
    return output


def call(script: str, url: str, folder: Path) -> None:
    path = ROOT / "tests" / "clients" / "generated" / f"{script}.py"
    run("python", path, url, ROOT / "docs" / "seven.png", TOKEN, folder=folder)


def test_the_document_is_valid(document: Path) -> None:
    run("openapi-spec-validator", document, folder=document.parent)


def test_the_client_of_openapi_python_client_works(url: str, document: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digitserve_client"
    options = ("--meta", "none", "--fail-on-warning", "--output-path", folder)
    run("openapi-python-client", "generate", "--path", document, *options, folder=tmp_path)
    call("openapi_python_client", url, tmp_path)


@pytest.mark.skipif(shutil.which("java") is None, reason="OpenAPI Generator needs java on the PATH")
def test_the_client_of_openapi_generator_works(url: str, document: Path, tmp_path: Path) -> None:
    output = run("openapi-generator-cli", "generate", "-g", "python", "-i", document, "-o", tmp_path, folder=tmp_path)
    warnings = re.findall(r"^.*\b(?:WARN|ERROR)\b.*$", output, re.MULTILINE)
    assert [warning for warning in warnings if not any(known in warning for known in UNAVOIDABLE)] == []
    call("openapi_generator", url, tmp_path)
