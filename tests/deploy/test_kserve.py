"""The manifests for KServe are valid, and fit the container."""

import subprocess
from pathlib import Path

import pytest
import yaml

from app.main import create_app
from app.settings import Settings
from tests.deploy.kustomize import KUBERNETES, Object, containers, megabytes, render, settings_of
from tests.test_clients import PYTHON
from tests.test_compose import MEGABYTES_OF_A_WORKER

FILES = [KUBERNETES / "kserve" / name for name in ("serving-runtime.yaml", "inference-service.yaml")]
MODELS = Path(__file__).with_name("kserve_models.py")


@pytest.fixture
def runtime() -> Object:
    """Return the specification of the ServingRuntime."""
    spec: Object = yaml.safe_load(FILES[0].read_text())["spec"]
    return spec


@pytest.fixture
def predictor() -> Object:
    """Return the specification of the predictor."""
    spec: Object = yaml.safe_load(FILES[1].read_text())["spec"]["predictor"]
    return spec


def read_with_kserve(*files: Path) -> subprocess.CompletedProcess[str]:
    if not PYTHON.exists():
        pytest.fail("The clients are not installed. `make .venv/clients/installed` does it, and `make test` too.")
    return subprocess.run(  # noqa: S603 - a script of this folder
        [PYTHON, MODELS, *files], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_kserve_understands_every_field(tmp_path: Path) -> None:
    outcome = read_with_kserve(*FILES)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    misspelt = tmp_path / "misspelt.yaml"
    misspelt.write_text(FILES[1].read_text().replace("storageUri", "storageUrl"))
    assert read_with_kserve(misspelt).stderr == "misspelt.yaml.spec.predictor.model.storageUrl is unknown\n"


def test_the_service_uses_the_runtime(runtime: Object, predictor: Object) -> None:
    assert predictor["model"]["runtime"] == yaml.safe_load(FILES[0].read_text())["metadata"]["name"]
    assert predictor["model"]["modelFormat"]["name"] in {each["name"] for each in runtime["supportedModelFormats"]}
    assert predictor["model"]["protocolVersion"] in runtime["protocolVersions"]
    assert {each["kind"] for each in render(KUBERNETES / "kserve")} == {"ServingRuntime", "InferenceService"}


def test_the_container_fits_the_image_and_the_code(
    runtime: Object, predictor: Object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = containers({"spec": runtime})
    assert container["name"] == "kserve-container"
    variables = settings_of((), container)
    assert variables.keys() <= {name.upper() for name in Settings.model_fields}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path) if name == "MODELS_DIR" else value)
    settings = Settings()
    assert container["ports"][0]["containerPort"] == settings.port
    assert megabytes(container["resources"]["limits"]["memory"]) > settings.workers * MEGABYTES_OF_A_WORKER
    assert predictor["terminationGracePeriodSeconds"] > settings.drain_seconds + 2 * settings.shutdown_seconds
    routes = create_app(Settings()).openapi()["paths"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "get" in routes[container[probe]["httpGet"]["path"]]
        assert container[probe]["httpGet"]["port"] == settings.port
