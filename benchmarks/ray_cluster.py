"""Run a deployment of Ray Serve on simulated nodes: groups of processes on this machine, on loopback addresses only.

`python -m benchmarks.ray_cluster MODULE:DEPLOYMENT --port PORT` serves until its standard input ends, and carries out
these lines of it: `kill` ends all processes of a node at once, `scale N` sets the number of replicas. It prints the
states of the replicas whenever they change, such as `{"RUNNING": 2}`.
"""

import importlib
import json
import select
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from benchmarks import processes

_NODE_ADDRESS = "127.0.0.2"
"""The address of all nodes. Ray replaces 127.0.0.1 with an address that other machines reach."""
_APPLICATION = "application"
_OBJECT_STORE_BYTES = 80 * 1024**2
"""Close to the minimum of Ray. Serving stores no objects."""
_POLL_SECONDS = 0.1


def environment(folder: Path, ports: Sequence[int], *, first_replica_port: int) -> dict[str, str]:
    """Return the variables with which Ray serves on one machine, next to other clusters: with HAProxy, and fast.

    Args:
        folder: for the files and sockets of HAProxy. The path has to be short.
        ports: two free ports, for HAProxy's metrics and statistics.
        first_replica_port: the first port for the HTTP servers of the replicas.

    """
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports[0]),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports[1]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first_replica_port),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first_replica_port + 20),
        # A replica that is stopped waits this long for proxies to notice. By default half a minute.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    }


def main(
    deployment: Annotated[str, typer.Argument(help="A deployment without arguments, as module:name.")],
    *,
    port: Annotated[int, typer.Option(help="Port of the proxy.")],
    nodes: Annotated[int, typer.Option(min=1, help="Number of nodes, besides the head.")] = 2,
    cores: Annotated[int, typer.Option(min=1, help="Number of cores that each node counts as its own.")] = 2,
    replicas: Annotated[int, typer.Option(min=1, help="Number of replicas at the start.")] = 2,
) -> None:
    """Serve until the end of the standard input."""
    # Here, because tests import this module for `environment`, and Ray takes seconds to import.
    import ray  # noqa: PLC0415
    from ray import serve  # noqa: PLC0415
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    processes.unwind_when_terminated()
    module, _, name = deployment.partition(":")
    served = getattr(importlib.import_module(module), name)
    common = {
        "node_ip_address": _NODE_ADDRESS,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**common, "num_cpus": 0, "_system_config": {"health_check_period_ms": 500}},
    )
    for _ in range(nodes):
        cluster.add_node(**common, num_cpus=cores)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": "127.0.0.1", "port": port},
            logging_config={"enable_access_log": False},
        )
        serve.run(served.options(num_replicas=replicas).bind(), name=_APPLICATION, route_prefix="/")
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


def _lines(stream: IO[str]) -> Iterator[str]:
    """Yield the lines of a stream until its end, and an empty one whenever there is none for a while."""
    while True:
        readable, _, _ = select.select([stream], [], [], _POLL_SECONDS)
        line = stream.readline() if readable else "\n"
        if not line:
            return
        yield line.rstrip("\n")


def _replica_states(status: Any) -> dict[str, int]:  # noqa: ANN401 - a type of Ray
    (deployment,) = status.applications[_APPLICATION].deployments.values()
    return {str(getattr(state, "value", state)): count for state, count in deployment.replica_states.items() if count}


if __name__ == "__main__":
    typer.run(main)
