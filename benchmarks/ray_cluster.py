"""Run a deployment of Ray Serve on simulated nodes: groups of processes on this machine, on loopback addresses only.

`python -m benchmarks.ray_cluster MODULE:DEPLOYMENT --port PORT` serves until its standard input ends, and carries out
these lines of it: `kill` ends all processes of a node at once, `scale N` sets the number of replicas. It prints the
states of the replicas whenever they change, such as `{"RUNNING": 2}`. `running_cluster` starts this program.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Annotated, Any

import typer

from benchmarks import processes
from benchmarks.environments import ROOT
from benchmarks.processes import Program, free_ports

_NODE_ADDRESS = "127.0.0.2"
"""The address of all nodes. Ray replaces 127.0.0.1 with an address that other machines reach."""
_APPLICATION = "application"
_OBJECT_STORE_BYTES = 80 * 1024**2
"""Close to the minimum of Ray. Serving stores no objects."""
_FIRST_REPLICA_PORT = 31_500
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "50",  # on a busy machine, the default of 5 seconds is too short
}
_POLL_SECONDS = 0.1
_STATUS_SECONDS = 0.5
"""The time between two questions for the states of the replicas, which take a fifth of that time."""
_START_SECONDS = 240


@dataclass(frozen=True)
class RunningCluster:
    """A running cluster, and the address of its proxy."""

    program: Program
    url: str
    folder: Path
    """The folder with the log, and the files of HAProxy."""

    def send(self, command: str) -> None:
        """Send a command to the program."""
        assert self.program.process.stdin is not None  # noqa: S101 - for mypy
        self.program.process.stdin.write(f"{command}\n".encode())
        self.program.process.stdin.flush()

    def states(self) -> list[dict[str, int]]:
        """Return the states of the replicas so far, the newest at the end."""
        return [json.loads(line) for line in self.program.log.read_text().splitlines() if line.startswith("{")]

    def wait_for(self, states: Mapping[str, int], *, seconds: float) -> None:
        """Wait until the replicas have these states. Raises TimeoutError with the end of the log if they do not."""
        deadline = time.monotonic() + seconds
        while not (found := self.states()) or found[-1] != states:
            if self.program.has_ended() or time.monotonic() > deadline:
                message = f"The replicas have not become {states}, but {found}:\n{self.program.log_tail()}"
                raise TimeoutError(message)
            time.sleep(_POLL_SECONDS)


@contextmanager
def running_cluster(
    deployment: str, *, nodes: int, cores: int, settings: Mapping[str, str], fast: bool = True
) -> Iterator[RunningCluster]:
    """Run a deployment with one replica for each node, and end all processes at the end.

    Args:
        deployment: as `module:name`.
        nodes: the number of nodes, besides the head, which has no replicas.
        cores: the number of cores that each node counts as its own.
        settings: environment variables of the replicas.
        fast: whether Ray serves with HAProxy and for throughput, or as by default.

    """
    port, *others = free_ports(3)
    with tempfile.TemporaryDirectory() as name:  # its path is short enough for sockets
        folder = Path(name)
        command = [sys.executable, "-m", "benchmarks.ray_cluster", deployment, "--port", str(port)]
        with processes.running(
            [*command, "--nodes", str(nodes), "--cores", str(cores)],
            folder=ROOT,
            environment={**settings, **_ENVIRONMENT, **(_haproxy(folder, *others) if fast else {})},
            log=folder / "log",
            stdin=subprocess.PIPE,
        ) as program:
            cluster = RunningCluster(program, f"http://127.0.0.1:{port}", folder)
            cluster.wait_for({"RUNNING": nodes}, seconds=_START_SECONDS)
            yield cluster


def _haproxy(folder: Path, metrics_port: int, statistics_port: int) -> dict[str, str]:
    """Return the variables for HAProxy and for throughput, next to other clusters on this machine."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(statistics_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(_FIRST_REPLICA_PORT),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(_FIRST_REPLICA_PORT + 20),
        # A replica that is stopped waits this long for proxies to notice. By default half a minute.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    }


def main(
    deployment: Annotated[str, typer.Argument(help="A deployment without arguments, as module:name.")],
    *,
    port: Annotated[int, typer.Option(help="Port of the proxy.")],
    nodes: Annotated[int, typer.Option(min=1, help="Number of nodes, besides the head. Each has a replica.")] = 2,
    cores: Annotated[int, typer.Option(min=1, help="Number of cores that each node counts as its own.")] = 2,
) -> None:
    """Serve until the end of the standard input."""
    # Here, because tests import this module for `running_cluster`, and Ray takes seconds to import.
    import ray  # noqa: PLC0415
    from ray import serve  # noqa: PLC0415
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    processes.unwind_when_terminated()
    served = resolve_name(deployment)
    common = {
        "node_ip_address": _NODE_ADDRESS,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**common, "num_cpus": 0, "_system_config": {"health_check_period_ms": 500}},
    )
    for number in range(nodes):
        with _on_cores(number, cores):
            cluster.add_node(**common, num_cpus=cores)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": "127.0.0.1", "port": port},
            logging_config={"enable_access_log": False},
        )
        serve.run(served.options(num_replicas=nodes).bind(), name=_APPLICATION, route_prefix="/")
        known: dict[str, int] = {}
        for line in _lines(sys.stdin):
            command, *arguments = line.split() or [""]
            if command == "kill":
                cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            elif command == "scale":
                scaled = served.options(num_replicas=int(arguments[0])).bind()
                serve.run(scaled, name=_APPLICATION, route_prefix="/", blocking=False)
            states = _replica_states(serve.status())
            if states != known:
                known = states
                print(json.dumps(states), flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def _on_cores(number: int, cores: int) -> Iterator[None]:
    """Start processes of a node on cores of its own, if there are enough: processes inherit them."""
    available = sorted(os.sched_getaffinity(0))
    own = available[number * cores : (number + 1) * cores]
    os.sched_setaffinity(0, own if len(own) == cores else available)
    try:
        yield
    finally:
        os.sched_setaffinity(0, available)


def _lines(stream: IO[str]) -> Iterator[str]:
    """Yield the lines of a stream until its end, and an empty one whenever there is none for a while."""
    while True:
        readable, _, _ = select.select([stream], [], [], _STATUS_SECONDS)
        line = stream.readline() if readable else "\n"
        if not line:
            return
        yield line.rstrip("\n")


def _replica_states(status: Any) -> dict[str, int]:  # noqa: ANN401 - a type of Ray
    (deployment,) = status.applications[_APPLICATION].deployments.values()
    return {str(getattr(state, "value", state)): count for state, count in deployment.replica_states.items() if count}


if __name__ == "__main__":
    typer.run(main)
