"""The configuration for Ray Serve and KubeRay is valid, and fits the application, the image and each other."""

import json
import re
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from tests.app.service import ROOT
from tests.deploy.kustomize import Object
from tests.test_requirements import pins

FOLDER = ROOT / "deploy" / "ray"
SERVE: dict[str, Any] = yaml.safe_load((FOLDER / "serve.yaml").read_text())
SERVICE: dict[str, Any] = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FLAGS = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"}
# Ray is not imported here: it takes seconds, and warns.
DESCRIBE = """
import json, sys
import yaml
from ray.serve.schema import ServeDeploySchema
from deploy.ray.application import Digitserve, application
ServeDeploySchema.model_validate(yaml.safe_load(sys.stdin.read()))
print(json.dumps({"name": Digitserve.name, "max_ongoing_requests": Digitserve.max_ongoing_requests,
                  "ray_actor_options": Digitserve.ray_actor_options}))
"""


@pytest.fixture(params=["head", "worker"])
def pod(request: pytest.FixtureRequest) -> Object:
    """Return the specification of a pod."""
    groups = {"head": CLUSTER["headGroupSpec"], "worker": CLUSTER["workerGroupSpecs"][0]}
    spec: Object = groups[request.param]["template"]["spec"]
    return spec


@pytest.mark.slow
def test_ray_accepts_the_configuration_and_it_is_that_of_the_deployment() -> None:
    outcome = subprocess.run(  # noqa: S603
        [sys.executable, "-c", DESCRIBE],
        cwd=ROOT,
        input=json.dumps(SERVE),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    defined = json.loads(outcome.stdout)
    (configured,) = SERVE["applications"][0]["deployments"]
    assert configured["name"] == defined["name"]
    assert configured["max_ongoing_requests"] == defined["max_ongoing_requests"]
    assert configured["ray_actor_options"].items() <= defined["ray_actor_options"].items()


def test_the_service_refuses_before_ray_does() -> None:
    (deployment,) = SERVE["applications"][0]["deployments"]
    assert deployment["max_ongoing_requests"] > Settings().most_at_once
    assert deployment["graceful_shutdown_timeout_s"] >= Settings().deadline_seconds + 35  # Ray's own period before it


def test_variables_of_the_application_are_settings() -> None:
    (application,) = SERVE["applications"]
    assert application["runtime_env"]["env_vars"].keys() <= {name.upper() for name in Settings.model_fields}
    assert application["import_path"] == "deploy.ray.application:application"


def test_both_configurations_are_the_same() -> None:
    assert yaml.safe_load(SERVICE["spec"]["serveConfigV2"]) == SERVE


def test_the_version_of_ray_is_the_pinned_one() -> None:
    assert CLUSTER["rayVersion"] == dict(pins((ROOT / "requirements" / "ray.txt").read_text()))["ray"]


def test_ray_starts_with_haproxy_for_throughput_and_reports_nothing(pod: Object) -> None:
    (container,) = pod["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == FLAGS
    stage = DOCKERFILE.partition("FROM base AS ray\n")[2].partition("FROM")[0]
    assert dict(re.findall(r"\b(RAY_\w+)=(\S+)", stage)) == FLAGS


def test_a_pod_is_valid_and_confined(pod: Object) -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": pod}
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    user = re.search(r"useradd .*--uid (\d+)", DOCKERFILE)
    assert user
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} <= ports.keys()
    assert ports.get("serve", SERVE["http_options"]["port"]) == SERVE["http_options"]["port"]


def test_every_replica_can_have_its_cores() -> None:
    (group,) = CLUSTER["workerGroupSpecs"]
    (deployment,) = SERVE["applications"][0]["deployments"]
    cores = int(group["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    needed = deployment["autoscaling_config"]["max_replicas"] * deployment["ray_actor_options"]["num_cpus"]
    assert group["maxReplicas"] * cores >= needed
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
