"""The containers of the Deployment as local processes, with the same commands, variables, probes and signals."""

import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.app.grpc.conftest import free_port
from tests.app.service import ROOT, service
from tests.deploy.kustomize import KUBERNETES, Object, pods, render, render_component, settings_of


def entry_point() -> list[str]:
    """Return the command of the image `serve`, the last stage of the Dockerfile."""
    command = re.findall(r"^ENTRYPOINT \[(.*)\]$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    return [part.strip('", ') for part in shlex.split(command.replace(",", " "))]


def probe(url: str, container: Object, kind: str) -> int:
    """Send the request of a probe; return the status, or 0 without an answer in time."""
    check = container[kind]
    try:
        return httpx.get(url + check["httpGet"]["path"], timeout=check["timeoutSeconds"]).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.slow
def test_a_pod_starts_answers_and_stops_as_the_manifests_say(seven: bytes) -> None:
    objects = render(KUBERNETES / "overlays" / "small")
    pod = pods(objects)["digitserve"]["spec"]
    (container,) = pod["containers"]
    assert "command" not in container
    assert entry_point() == ["python3", "-m", "app"]  # as `service` starts it
    settings = settings_of(objects, container) | {"GRPC_PORT": str(free_port()), "HOST": "0.0.0.0"}
    with service(**settings) as (process, url):
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert probe(url, container, kind) == 200
        assert httpx.post(f"{url}/v2/repository/models/softmax/unload").status_code == 403  # no ADMIN_TOKEN

        process.send_signal(signal.SIGTERM)  # after preStop
        started = time.monotonic()
        while probe(url, container, "readinessProbe") != 503:
            time.sleep(0.02)
        assert probe(url, container, "livenessProbe") == 200
        headers = {"Content-Type": "image/png"}
        assert httpx.post(f"{url}/predict", content=seven, headers=headers).json()["digit"] == 7
        assert process.wait(pod["terminationGracePeriodSeconds"]) == 0
        assert time.monotonic() - started >= float(settings["DRAIN_SECONDS"])


def fill(command: list[str], folder: Path, volume: Path, pod: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "VOLUME": str(volume), "HOSTNAME": pod}
    return subprocess.Popen(command, cwd=folder, env=environment)  # noqa: S603


def test_an_empty_volume_is_filled_once_and_a_rollback_stays(tmp_path: Path) -> None:
    (container,) = pods(render_component("volume"))["digitserve"]["spec"]["initContainers"]
    image, volume = tmp_path / "image", tmp_path / "volume"
    for version in ("convnet/5", "convnet/6", "softmax/3"):
        (image / "models" / version).mkdir(parents=True)
        (image / "models" / version / "model.json").write_text(version)
    volume.mkdir()

    together = [fill(container["command"], image, volume, f"pod-{number}") for number in range(4)]
    for process in together:
        assert process.wait(20) == 0
    files = {str(path.relative_to(volume)) for path in volume.rglob("*.json")}
    assert files == {"convnet/5/model.json", "convnet/6/model.json", "softmax/3/model.json"}
    assert {path.name for path in volume.iterdir()} == {"convnet", "softmax"}

    (volume / "convnet" / "6").rename(volume / "convnet" / ".withdrawn-6")
    assert fill(container["command"], image, volume, "pod-5").wait(20) == 0
    assert {path.name for path in (volume / "convnet").iterdir()} == {"5", ".withdrawn-6"}
