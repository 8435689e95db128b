"""The manifests are valid, fit together, and fit the code and the image."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.main import create_app
from app.settings import Settings
from tests.deploy.kustomize import (
    COMPONENTS,
    KUBERNETES,
    OVERLAYS,
    Object,
    all_of,
    containers,
    megabytes,
    pods,
    render,
    render_component,
    settings_of,
)
from tests.test_compose import MEGABYTES_OF_A_WORKER
from training.registry import list_names

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOT_OF_KUBERNETES = {"ServiceMonitor", "ServingRuntime", "InferenceService"}
VARIANTS = [*OVERLAYS, *COMPONENTS]
VERSIONS = ["1.33", kubernetes_validate.latest_version()]


@pytest.fixture(params=VARIANTS)
def objects(request: pytest.FixtureRequest) -> tuple[Object, ...]:
    """Return the objects of an overlay, or of the base with a component."""
    if request.param in OVERLAYS:
        return render(KUBERNETES / "overlays" / request.param)
    return render_component(request.param)


def is_selected(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(objects: tuple[Object, ...], version: str) -> None:
    for each in objects:
        if each["kind"] not in NOT_OF_KUBERNETES:
            kubernetes_validate.validate(each, version, strict=True)
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "digitserve"


def test_an_invalid_object_is_found() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        kubernetes_validate.validate(service, VERSIONS[-1], strict=True)


def test_what_an_object_refers_to_exists(objects: tuple[Object, ...]) -> None:
    for pod in pods(objects).values():
        mounted = {mount["name"] for each in containers(pod) for mount in each["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in all_of(objects, "PersistentVolumeClaim")
    for autoscaler in all_of(objects, "HorizontalPodAutoscaler").values():
        target = autoscaler["spec"]["scaleTargetRef"]
        assert target["name"] in all_of(objects, target["kind"])
        assert "replicas" not in all_of(objects, "Deployment")[target["name"]]["spec"]


def test_selectors_select_the_pods_of_the_same_name(objects: tuple[Object, ...]) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}
    deployment = all_of(objects, "Deployment")["digitserve"]["spec"]
    selectors = [("digitserve", deployment["selector"])]
    selectors += [
        ("digitserve", each["labelSelector"]) for each in deployment["template"]["spec"]["topologySpreadConstraints"]
    ]
    selectors += [
        ("digitserve", {"matchLabels": each["spec"]["selector"]}) for each in all_of(objects, "Service").values()
    ]
    selectors += [(name, each["spec"]["selector"]) for name, each in all_of(objects, "PodDisruptionBudget").items()]
    selectors += [(name, each["spec"]["podSelector"]) for name, each in all_of(objects, "NetworkPolicy").items()]
    for name, selector in selectors:
        assert [each for each in labels if is_selected(labels[each], selector)] == [name]
    assert labels.keys() == all_of(objects, "NetworkPolicy").keys()


def test_ports_are_those_of_the_container(objects: tuple[Object, ...]) -> None:
    (container,) = pods(objects)["digitserve"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    exposed = re.search(r"^EXPOSE (\d+) (\d+)$", DOCKERFILE, re.MULTILINE)
    default = re.search(r"\bPORT=(\d+)", DOCKERFILE)
    assert exposed
    assert default
    assert list(map(str, ports.values())) == [default[1], settings_of(objects, container)["GRPC_PORT"]]
    assert list(map(str, ports.values())) == list(exposed.groups())
    for service in all_of(objects, "Service").values():
        assert {port["targetPort"] for port in service["spec"]["ports"]} == ports.keys()
    for rule in all_of(objects, "NetworkPolicy")["digitserve"]["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= ports.keys()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"


def test_probes_are_routes(objects: tuple[Object, ...]) -> None:
    routes = create_app(Settings()).openapi()["paths"]
    (container,) = pods(objects)["digitserve"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "get" in routes[container[probe]["httpGet"]["path"]]


def test_variables_are_settings(objects: tuple[Object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = pods(objects)["digitserve"]["spec"]["containers"]
    named = {each["name"] for each in container["env"]} | settings_of(objects, container).keys()
    assert named <= {name.upper() for name in Settings.model_fields}
    for name, value in settings_of(objects, container).items():
        monkeypatch.setenv(name, str(tmp_path) if name == "MODELS_CACHE_DIR" else value)  # it has to exist
    settings = Settings()
    pod = pods(objects)["digitserve"]["spec"]
    pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pre_stop + settings.drain_seconds + 2 * settings.shutdown_seconds
    assert pod["terminationGracePeriodSeconds"] > needed
    limit = megabytes(container["resources"]["limits"]["memory"])
    temporary = megabytes(pod["volumes"][-1]["emptyDir"]["sizeLimit"])
    assert pod["volumes"][-1]["emptyDir"]["medium"] == "Memory"  # counts as memory of the container
    assert limit >= settings.workers * MEGABYTES_OF_A_WORKER + temporary


def test_volumes_are_where_the_image_expects_them(objects: tuple[Object, ...]) -> None:
    folder = re.search(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)
    assert folder
    expected = {"tmp": "/tmp", "models": f"{folder[1]}/models", "mnist": "/cache/digitserve/mnist"}  # noqa: S108
    for pod in pods(objects).values():
        for container in pod["spec"]["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            variables = settings_of(objects, container)
            assert (
                mounts.items()
                <= {
                    **expected,
                    "feedback": variables.get("FEEDBACK_DIR", container.get("args", [None])[-1]),
                    "models-cache": variables.get("MODELS_CACHE_DIR"),
                }.items()
            )
            assert f"mkdir -p {expected['mnist']}" in DOCKERFILE


def test_pods_are_confined(objects: tuple[Object, ...]) -> None:
    """They keep to the Pod Security Standard `restricted`, which the namespace enforces, and to more."""
    namespace = all_of(objects, "Namespace")["digitserve"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    user = re.search(r"useradd .*--uid (\d+)", DOCKERFILE)
    assert user
    for pod in pods(objects).values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == int(user[1])
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} == container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


def test_the_scraped_service_is_one() -> None:
    objects = render_component("monitoring")
    (monitor,) = all_of(objects, "ServiceMonitor").values()
    assert monitor["spec"].keys() == {"jobLabel", "selector", "endpoints"}
    services = [
        each
        for each in all_of(objects, "Service").values()
        if is_selected(each["metadata"].get("labels", {}), monitor["spec"]["selector"])
    ]
    assert [each["metadata"]["labels"][monitor["spec"]["jobLabel"]] for each in services] == ["digitserve"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in services[0]["spec"]["ports"]}
    assert endpoint["path"] in create_app(Settings()).openapi()["paths"]


def test_the_alerts_are_about_the_job_of_the_monitor() -> None:
    (service,) = (
        each for each in all_of(render_component("monitoring"), "Service").values() if each["metadata"].get("labels")
    )
    jobs = set(re.findall(r'job="(\w+)"', (ROOT / "monitoring" / "alerts.yml").read_text()))
    assert jobs == set(service["metadata"]["labels"].values())


def test_the_autoscaler_scales_on_a_metric_that_the_adapter_makes() -> None:
    (autoscaler,) = all_of(render_component("queue-metric"), "HorizontalPodAutoscaler").values()
    (metric,) = (each["pods"]["metric"]["name"] for each in autoscaler["spec"]["metrics"] if each["type"] == "Pods")
    values = yaml.safe_load((KUBERNETES / "components" / "queue-metric" / "prometheus-adapter.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    assert rule["name"]["as"] == metric
    assert rule["seriesQuery"].startswith(f"{metric}{{")
    assert f"`{metric}`" in (ROOT / "docs" / "operations.md").read_text()


def test_the_job_trains_models_that_exist() -> None:
    (container,) = containers(pods(render_component("retrain"))["retrain"])
    assert container["command"] == ["python3", "-m", "training", "train"]
    *names, option, _ = container["args"]
    assert set(names) <= set(list_names())
    assert option == "--also"


def test_a_single_node_is_enough_for_the_small_overlay() -> None:
    objects = render(KUBERNETES / "overlays" / "small")
    assert all_of(objects, "Deployment")["digitserve"]["spec"]["replicas"] == 1
    assert not all_of(objects, "HorizontalPodAutoscaler")
    assert not all_of(objects, "PersistentVolumeClaim")


def test_a_lost_node_takes_one_pod_of_the_large_overlay() -> None:
    objects = render(KUBERNETES / "overlays" / "large")
    spread = {each["topologyKey"]: each for each in pods(objects)["digitserve"]["spec"]["topologySpreadConstraints"]}
    assert spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
    assert all_of(objects, "HorizontalPodAutoscaler")["digitserve"]["spec"]["minReplicas"] > 1
