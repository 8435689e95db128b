"""The protocols with their usual client libraries, in the environment that `make test` makes for them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.grpc.conftest import free_port
from tests.app.service import service
from tests.conftest import newest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "tests" / "clients").glob("*.py"))
PYTHON = Path(sys.prefix) / "clients" / "bin" / "python"
KNOWN = {
    "model": ["convnet", "softmax", "nobody"],
    "version": [newest("convnet").name, "1", "99", "x"],
    "label": ["stable", "latest", "x"],
}


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str]]:
    """Return the URL of a service, and its port for gRPC."""
    port = str(free_port())
    with service(WORKERS="1", ACCESS_LOG="false", GRPC_PORT=port) as (_, url):
        yield url, port


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_client_library_works(addresses: tuple[str, str], script: Path) -> None:
    if not PYTHON.exists():
        pytest.fail("The clients are not installed. `make .venv/clients/installed` does it, and `make test` too.")
    url, port = addresses
    command = [PYTHON, script, url, ROOT / "docs" / "seven.png", port]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert outcome.returncode == 0, outcome.stderr[-3000:]


def test_every_route_answers_as_documented(tmp_path: Path) -> None:
    with service(WORKERS="1", ACCESS_LOG="false", ADMIN_TOKEN="nobody-has-it") as (_, url):
        document = httpx.get(f"{url}/openapi.json").json()
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            operation["responses"].pop("default", None)  # it would allow every response
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in KNOWN and parameter["in"] == "path":  # mostly what is there
                    parameter["schema"] = {"enum": KNOWN[parameter["name"]]}
        schema = tmp_path / "openapi.json"
        schema.write_text(json.dumps(document))
        outcome = subprocess.run(  # noqa: S603 - the command is the one below
            [
                Path(sys.executable).with_name("schemathesis"),
                *("run", schema, "--url", url),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1"),
                *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
                *("--suppress-health-check", "all", "--generation-database", "none"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-1000:]
        assert httpx.get(f"{url}/health/ready").status_code == 200
