"""Renders the Kustomizations of `deploy/kubernetes` with kubectl, and finds objects in the result."""

import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).parent.parent.parent / "deploy" / "kubernetes"
OVERLAYS = ("small", "large")
COMPONENTS = tuple(sorted(folder.name for folder in (KUBERNETES / "components").iterdir()))
DEPENDENCIES = {"retrain": ("volume", "feedback")}
"""The components that another component needs."""

Object = dict[str, Any]


@cache
def render(folder: Path) -> tuple[Object, ...]:
    """Return the objects that `kubectl apply -k` would send to the cluster."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH")
    rendered = subprocess.run(  # noqa: S603 - a folder of this project
        ["kubectl", "kustomize", folder],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert rendered.returncode == 0, rendered.stderr
    assert "Warning" not in rendered.stderr, rendered.stderr
    return tuple(yaml.safe_load_all(rendered.stdout))


@cache
def render_component(name: str) -> tuple[Object, ...]:
    """Return the objects of the base with one component, and with those that it needs."""
    with tempfile.TemporaryDirectory() as folder:

        def path(*parts: str) -> str:
            return os.path.relpath(KUBERNETES.joinpath(*parts), Path(folder).resolve())

        components = [path("components", each) for each in (*DEPENDENCIES.get(name, ()), name)]
        content = {"resources": [path("base")], "components": components, "namespace": "digitserve"}
        (Path(folder) / "kustomization.yaml").write_text(json.dumps(content))
        return render(Path(folder))


def all_of(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Return the objects of a kind by their names."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: tuple[Object, ...]) -> dict[str, Object]:
    """Return the pod templates by the names of the objects that have them."""
    templates = {name: each["spec"]["template"] for name, each in all_of(objects, "Deployment").items()}
    for name, each in all_of(objects, "CronJob").items():
        templates[name] = each["spec"]["jobTemplate"]["spec"]["template"]
    return templates


def containers(pod: Object) -> list[Object]:
    """Return all containers of a pod template, also those that run before the others."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def settings_of(objects: tuple[Object, ...], container: Object) -> dict[str, str]:
    """Return the environment variables of a container that the manifests give a value. Secrets have none."""
    configured: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            configured |= all_of(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    for variable in container.get("env", []):
        if "value" in variable:
            configured[variable["name"]] = variable["value"]
        elif "resourceFieldRef" in variable["valueFrom"]:
            assert variable["valueFrom"]["resourceFieldRef"]["resource"] == "requests.cpu"
            configured[variable["name"]] = str(cores(container["resources"]["requests"]["cpu"]))
    return configured


def cores(quantity: str) -> int:
    """Return a quantity of processors as the Downward API gives it: rounded up."""
    return -(-int(quantity.removesuffix("m")) // 1000) if quantity.endswith("m") else int(quantity)


def megabytes(quantity: str) -> int:
    """Return a quantity of memory in binary megabytes."""
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
