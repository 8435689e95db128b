"""Measure the service on Ray Serve: `python -m benchmarks.ray_scaling`. The nodes are simulated on this machine.

Two nodes of one core each are compared with one, with the same load for each node, and with a deployment as in Ray's
documentation. Each node has a core of its own. The head, the proxy and the load generator share the cores with the
nodes, so the requests for the comparison of nodes are batches, which keep the nodes busy for most of the time.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import closed_loop, payloads
from benchmarks.processes import unwind_when_terminated
from benchmarks.ray_cluster import RunningCluster, running_cluster
from benchmarks.servers import BATCH

_SERVICE = "deploy.ray.application:Digitserve"
_PLAIN = "benchmarks.plain_ray:Digits"
_BATCHES_PER_NODE = 4
_CONNECTIONS_PER_NODE = 16
_WARM_UP_SECONDS = 2

Figures = Mapping[str, list[float]]


@dataclass(frozen=True)
class Variant:
    """A deployment on a number of nodes."""

    name: str
    deployment: str
    nodes: int
    fast: bool = True
    """Whether Ray serves with HAProxy and for throughput."""


VARIANTS = (
    Variant("one node", _SERVICE, nodes=1),
    Variant("two nodes", _SERVICE, nodes=2),
    Variant("plain, two nodes", _PLAIN, nodes=2, fast=False),
    Variant("plain with HAProxy, two nodes", _PLAIN, nodes=2),
)


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turn.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="How long each figure is measured.")] = 5,
) -> None:
    """Measure all variants in turn, and print the medians and ratios."""
    unwind_when_terminated()
    closed_loop.require_wrk()
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for variant in VARIANTS:
            print(f"Round {number + 1} of {rounds}: {variant.name}", flush=True)
            for shape, rate in measure(variant, seconds).items():
                print(f"  {shape}: {rate:.0f} pictures/s", flush=True)
                found[f"{variant.name}, {shape}"].append(rate)
    print(report(found))
    print(json.dumps(found))


def measure(variant: Variant, seconds: int) -> dict[str, float]:
    """Start a variant, and return its pictures a second for each shape of request."""
    digit = payloads.digit_png()
    with started(variant, digit) as cluster:
        connections = variant.nodes * _CONNECTIONS_PER_NODE
        rates = {"single": drive(cluster, "/predict", payloads.raw(digit), connections, seconds)}
        if variant.deployment == _SERVICE:
            batch = payloads.multipart("file", [digit] * BATCH)
            connections = variant.nodes * _BATCHES_PER_NODE
            rates["batches"] = BATCH * drive(cluster, "/predict/batch", batch, connections, seconds)
    return rates


@contextmanager
def started(variant: Variant, digit: bytes) -> Iterator[RunningCluster]:
    """Start a variant, and check that it answers."""
    settings = {"ACCESS_LOG": "false"}
    with running_cluster(
        variant.deployment, nodes=variant.nodes, cores=1, settings=settings, fast=variant.fast
    ) as cluster:
        answer = httpx.post(f"{cluster.url}/predict", content=digit, headers={"content-type": "image/png"}, timeout=20)
        answer.raise_for_status()
        yield cluster


def drive(cluster: RunningCluster, path: str, body: payloads.Body, connections: int, seconds: int) -> float:
    """Return the answers a second in a closed loop. Prints what was not answered."""
    closed_loop.drive(cluster.url + path, body, connections=connections, seconds=_WARM_UP_SECONDS)
    load = closed_loop.drive(cluster.url + path, body, connections=connections, seconds=seconds)
    if load.refused or load.broken:
        print(f"  {path}: {load.refused} refused, {load.broken} broken", flush=True)
    return load.rate


def report(found: Figures) -> str:
    """Return the ratios of figures of the same round, with their targets."""
    one, two = np.array(found["one node, batches"]), np.array(found["two nodes, batches"])
    ours = np.array(found["two nodes, single"])
    lines = [_line("two nodes / twice one node (batches)", two / (2 * one), 0.9)]
    for name in ("plain, two nodes", "plain with HAProxy, two nodes"):
        lines += [_line(f"service / {name} (single)", ours / np.array(found[f"{name}, single"]), 3.0)]
    return "\n".join(lines)


def _line(name: str, ratios: NDArray[np.float64], target: float) -> str:
    """Describe the median of ratios, with the lowest and the highest."""
    median = float(np.median(ratios))
    verdict = "met" if median >= target else "not met"
    return f"{name}: {median:.2f} ({ratios.min():.2f} to {ratios.max():.2f}), at least {target:g}: {verdict}"


if __name__ == "__main__":
    typer.run(main)
