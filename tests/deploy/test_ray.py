"""The service on Ray Serve: two replicas on two nodes, which are groups of processes on this machine."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from benchmarks.ray_cluster import RunningCluster, running_cluster
from tests.app.service import ROOT
from tests.conftest import Serve

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.anyio]

MOST_AT_ONCE = 16
MAX_BODY_BYTES = 100_000
CLIENTS = 8
PAUSE_SECONDS = 0.5
"""The proxy needs a moment to learn that a node is gone."""
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Return a cluster with two replicas that are ready, and a core for another one on each of its nodes."""
    settings = {
        "FEEDBACK_DIR": str(tmp_path_factory.mktemp("feedback")),
        "FEEDBACK_KEY": "secret",
        "ACCESS_LOG": "false",
        "MOST_AT_ONCE": str(MOST_AT_ONCE),
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "UPLOAD_SECONDS": "1",
    }
    with running_cluster("deploy.ray.application:Digitserve", nodes=2, cores=2, settings=settings) as cluster:
        yield cluster


def addresses_of_replicas(cluster: RunningCluster) -> list[str]:
    """Return the addresses of the replicas, as the proxy knows them."""
    (configuration,) = cluster.folder.rglob("haproxy.cfg")
    servers = re.findall(r"^\s*server SERVE_REPLICA\S+ ([\d.]+:\d+)", configuration.read_text(), re.MULTILINE)
    return [f"http://{address}" for address in dict.fromkeys(servers)]


@pytest.fixture
async def proxy(cluster: RunningCluster) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that opens a connection for each request, so that all replicas are reached."""
    async with httpx.AsyncClient(
        base_url=cluster.url, timeout=20, limits=httpx.Limits(max_keepalive_connections=0)
    ) as client:
        yield client


@dataclass
class Load:
    """What clients have got that send one request after another, and repeat a failed one once, after a pause."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    """Failures of first attempts."""
    lost: list[str] = field(default_factory=list)
    """Failures of second attempts."""

    async def run(self, url: str, picture: bytes, stop: asyncio.Event) -> None:
        """Send predictions from `CLIENTS` clients until the event."""
        async with httpx.AsyncClient(base_url=url, timeout=20) as client, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._send(client, picture, stop))

    async def _send(self, client: httpx.AsyncClient, picture: bytes, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for failures in (self.failures, self.lost):
                try:
                    response = await client.post("/predict", content=picture, headers=PNG)
                    problem = None if response.status_code == 200 else response.text
                except httpx.TransportError as error:
                    problem = repr(error)
                if problem is None:
                    self.answers += response.json()["digit"] == 7
                    break
                failures.append(problem)
                await asyncio.sleep(PAUSE_SECONDS)


async def test_answers_are_those_of_the_service(proxy: httpx.AsyncClient, serve: Serve, seven: bytes) -> None:
    async with serve() as client:
        for path in ("/predict", "/predict?model=softmax&seen=true", "/read"):
            expected = (await client.post(path, content=seven, headers=PNG)).json()
            answer = await proxy.post(path, content=seven, headers=PNG)
            assert answer.status_code == 200
            found = answer.json()
            for digits in (found, *(digit for line in found.get("lines", ()) for digit in line["digits"])):
                digits.pop("prediction_id", None)
            assert found == expected
        assert (await proxy.get("/v2/models/convnet")).json() == (await client.get("/v2/models/convnet")).json()


async def test_problems_are_those_of_the_service(proxy: httpx.AsyncClient, seven: bytes) -> None:
    bodies = {
        "request-too-large": bytes(MAX_BODY_BYTES + 1),
        "unsupported-picture": b"x",
        "unreadable-picture": seven[:99],
    }
    for name, body in bodies.items():
        response = await proxy.post("/predict", content=body, headers=PNG)
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert (problem["type"], problem["status"]) == (f"urn:digitserve:problem:{name}", response.status_code)
        assert problem["request_id"] in response.headers["x-request-id"]
    unload = await proxy.post("/v2/repository/models/convnet/unload")  # there is no ADMIN_TOKEN
    assert (unload.status_code, unload.json().keys()) == (403, {"error"})


async def test_limits_of_time_and_concurrency_are_those_of_the_service(cluster: RunningCluster) -> None:
    host, _, port = cluster.url.removeprefix("http://").partition(":")

    async def send_a_part() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 9\r\n\r\nx")
        answer = await reader.readuntil(b"}")
        writer.close()
        return answer

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(send_a_part() for _ in range(3 * MOST_AT_ONCE)))
    problems = {
        (answer.split()[1], re.search(rb"problem:([a-z-]+)", answer)[1])  # type: ignore[index]
        for answer in answers
    }
    assert problems == {(b"408", b"request-too-slow"), (b"503", b"overloaded")}
    assert all(b"application/problem+json" in answer for answer in answers)


async def test_every_replica_accepts_the_corrections_of_predictions_of_all(
    proxy: httpx.AsyncClient, seven: bytes
) -> None:
    for _ in range(8):
        prediction = (await proxy.post("/predict", content=seven, headers=PNG)).json()
        correction = await proxy.post("/feedback", json={"prediction_id": prediction["prediction_id"], "label": 7})
        assert correction.status_code == 200, correction.text


async def test_metrics_are_those_of_one_replica(
    cluster: RunningCluster, proxy: httpx.AsyncClient, seven: bytes
) -> None:
    async def predictions(address: str) -> float:
        text = (await proxy.get(f"{address}/metrics", headers={"accept": "text/plain"})).text
        return sum(map(float, re.findall(r"^digitserve_predictions_total{.*} (\S+)$", text, re.MULTILINE)))

    first, second = addresses_of_replicas(cluster)
    for _ in range(8):
        await proxy.post("/predict", content=seven, headers=PNG)
    await asyncio.sleep(0.3)  # values are at most a quarter of a second old
    each = [await predictions(first), await predictions(second)]
    assert await predictions(cluster.url) in each
    assert min(each) > 0


async def test_a_killed_node_costs_no_answer(cluster: RunningCluster, seven: bytes) -> None:
    load, stop = Load(), asyncio.Event()
    running_load = asyncio.create_task(load.run(cluster.url, seven, stop))
    await asyncio.sleep(1)
    before = load.answers
    cluster.send("kill")
    await asyncio.to_thread(cluster.wait_for, {"RUNNING": 1, "STARTING": 1}, seconds=30)
    after = load.answers
    await asyncio.to_thread(cluster.wait_for, {"RUNNING": 2}, seconds=60)  # on the node that is left
    stop.set()
    await running_load
    assert load.lost == []
    assert len(load.failures) <= CLIENTS  # what was in flight
    assert 0 < before < after < load.answers


async def test_scaling_down_loses_nothing(cluster: RunningCluster, seven: bytes) -> None:
    load, stop = Load(), asyncio.Event()
    running_load = asyncio.create_task(load.run(cluster.url, seven, stop))
    await asyncio.sleep(0.5)
    cluster.send("scale 1")
    await asyncio.to_thread(cluster.wait_for, {"RUNNING": 1}, seconds=60)
    before = load.answers
    await asyncio.sleep(0.5)
    stop.set()
    await running_load
    assert load.failures == []
    assert 0 < before < load.answers


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FEEDBACK_DIR", "{tmp_path}", "needs FEEDBACK_KEY"),
        ("MODELS_DIR", "{tmp_path}/nowhere", "nowhere' is not valid"),
    ],
)
def test_a_replica_with_invalid_settings_says_so(tmp_path: Path, name: str, value: str, message: str) -> None:
    build = "from deploy.ray.application import create_replica_app; create_replica_app()"
    settings = {"PATH": "", "RAY_USAGE_STATS_ENABLED": "0", name: value.format(tmp_path=tmp_path)}
    outcome = subprocess.run(  # noqa: S603
        [sys.executable, "-c", build], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 1
    (line,) = outcome.stderr.strip().splitlines()[-1:]
    assert line.startswith(f"deploy.ray.application.InvalidSettings: {name}=")
    assert message in line
