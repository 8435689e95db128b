"""The configuration in monitoring/, with a real Prometheus and the real service."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.observability.metrics import FLUSH_SECONDS
from tests.app.service import ROOT, service

MONITORING = ROOT / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "digitserve.json"
DATA_SOURCE = MONITORING / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text())["panels"])


def expressions(panel: dict[str, Any], interval: str = "5s") -> list[str]:
    """Return a panel's queries, with a value for the interval that Grafana would insert."""
    return [target["expr"].replace("$__rate_interval", interval) for target in panel["targets"]]


def promtool(*arguments: str, given: str | None = None) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, input=given, capture_output=True, text=True, check=False)  # noqa: S603, S607 - Debian's, on the PATH
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""  # promtool prints its recommendations there


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """Run Prometheus with the configuration in monitoring/, but at shorter intervals, and yield a client for it."""
    config = (MONITORING / "prometheus.yml").read_text().replace("serve:8000", target)
    config = re.sub(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 500ms", config)
    (folder / "prometheus.yml").write_text(config)
    (folder / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(  # noqa: S603 - Debian's, on the PATH
        [  # noqa: S607
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ]
    )
    try:
        with httpx.Client(base_url=f"http://{address}", transport=httpx.HTTPTransport(retries=8)) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow  # it needs promtool, which `make test` installs
def test_each_alert_fires_only_when_it_should() -> None:
    promtool("test", "rules", "tests/monitoring/alerts.yml")
    named = re.findall(r"alert: (\w+)", (MONITORING / "alerts.yml").read_text())
    tests = (ROOT / "tests" / "monitoring" / "alerts.yml").read_text()
    for name in named:
        assert f"{{eval_time: 89m, alertname: {name}}}" in tests, f"{name} is not shown to be quiet"
        assert re.search(rf"alertname: {name}\n\s+exp_alerts:\n\s+- ", tests), f"{name} is not shown to fire"


@pytest.mark.slow  # it needs promtool, which `make test` installs
def test_prometheus_accepts_its_configuration() -> None:
    promtool("check", "config", "monitoring/prometheus.yml")


def test_compose_mounts_existing_files_and_the_addresses_name_services() -> None:
    mounted = re.findall(r"\./(monitoring/[\w./]+):", COMPOSE)
    assert len(mounted) == 4
    assert all((ROOT / path).exists() for path in mounted)
    services = re.findall(r"^  (\w+):\n    ", COMPOSE, re.MULTILINE)
    addresses = (MONITORING / "prometheus.yml").read_text(), DATA_SOURCE.read_text()
    for name in re.findall(r"(?:\"|http://)(\w+):\d+", "".join(addresses)):
        assert name in services


def test_the_dashboard_uses_the_provisioned_data_source() -> None:
    assert {panel["datasource"]["uid"] for panel in panels()} == set(re.findall(r"uid: (\w+)", DATA_SOURCE.read_text()))
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels()]
    covered = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(covered) == len(set(covered)), "panels overlap"
    assert max(x for x, _ in covered) < 24


@pytest.mark.slow
def test_every_query_of_the_dashboard_and_of_the_alerts_finds_metrics_of_the_service(
    tmp_path: Path, seven: bytes
) -> None:
    settings = {"WORKERS": "2", "ACCESS_LOG": "false", "SHADOW": "convnet:softmax"}
    with service(**settings) as (_, url), prometheus(tmp_path, url.removeprefix("http://")) as database:
        wanted = {expression for panel in panels() for expression in expressions(panel)}
        end = time.monotonic() + 40
        while wanted and time.monotonic() < end:
            send_each_kind_of_request(url, seven)
            wanted = {expression for expression in wanted if not ask(database, expression)}
        assert not wanted
        rules = database.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
        # One may be pending: the shadow, softmax, predicts another digit for a blank picture than the convnet.
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
        (target,) = database.get("/api/v1/targets").json()["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_promtool_accepts_the_names_and_units_of_the_metrics(seven: bytes, workers: str) -> None:
    with service(WORKERS=workers, ACCESS_LOG="false") as (_, url):
        send_each_kind_of_request(url, seven)
        time.sleep(FLUSH_SECONDS * 2)  # the interval at which the workers exchange their counts
        metrics = httpx.get(f"{url}/metrics", headers={"accept": "text/plain"}).text
    assert "digitserve_refusals_total{" in metrics
    assert "digitserve_abstentions_total{" in metrics
    promtool("check", "metrics", given=metrics)


def send_each_kind_of_request(url: str, seven: bytes) -> None:
    """Send pictures that are predicted, abstained from and refused, over several connections."""
    blank = b"P5 28 28 255\n" + bytes([250]) * 784
    bodies = [seven] * 12 + [blank] * 2 + [b"no picture"] * 2
    with ThreadPoolExecutor(4) as senders:
        answers = senders.map(
            lambda body: httpx.post(f"{url}/predict", content=body, headers={"content-type": "image/png"}), bodies
        )
        assert {answer.status_code for answer in answers} == {200, 415}


def ask(database: httpx.Client, expression: str) -> bool:
    """Tell whether Prometheus finds values for an expression. Fail if the expression is invalid."""
    answer = database.get("/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    return any(series["value"][1] != "NaN" for series in answer["data"]["result"])
