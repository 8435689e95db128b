"""What each part of `app/server` is worth: the service without one part, beside the whole, as a share of its rate.

    python -m benchmarks.server_parts [--rounds 12] [--seconds 1]

All services run at the same time and are asked in turn, in another order each round. The median is of the ratios within
the rounds, as the speed of a shared machine changes from second to second.
"""

import argparse
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from app.server import refusals
from app.server.worker import create_worker_app
from benchmarks import payloads, report
from benchmarks.closed_loop import drive, require_wrk
from benchmarks.environments import ROOT
from benchmarks.machine import Machine
from benchmarks.processes import running
from benchmarks.results import ServerPartsResults

_VARIANT = "BENCHMARK_VARIANT"
_PATIENCE_SECONDS = 60.0
_PARTS: Mapping[str, tuple[str, ...]] = {
    "header cache": ("head_cache",),
    "cached refusals": (),
    "fast path": ("fast_path",),
    "fast path and admission by head": ("head_cache", "fast_path", "admission_control", "refusals"),
}
"""The parts that can be left out, as the names in the lifespan state that their connections look for."""


@dataclass(frozen=True)
class Load:
    """A kind of request, and how many connections send it."""

    name: str
    body: payloads.Body
    connections: int


def create_variant() -> FastAPI:
    """Build the application of a worker without the part that the environment names."""
    if os.environ[_VARIANT] == "cached refusals":
        refusals._cached_template = refusals._create_template  # type: ignore[assignment]  # noqa: SLF001
    app = create_worker_app()
    open_whole = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_whole(app) as state:
            missing = _PARTS.get(os.environ[_VARIANT], ())
            yield {name: value for name, value in (state or {}).items() if name not in missing}

    app.router.lifespan_context = lifespan
    return app


def serve(port: int) -> None:
    """Serve a variant with two workers, as `app/server/supervisor.py` does the whole."""
    uvicorn.run(
        "benchmarks.server_parts:create_variant",
        factory=True,
        http="app.server.fast_path_connection:FastPathConnection",
        port=port,
        workers=2,
        access_log=False,
        log_config=None,
        server_header=False,
    )


@contextmanager
def _services(folder: Path) -> Iterator[dict[str, str]]:
    """Run the whole, each variant, and the application on stock uvicorn; yield their addresses by name."""
    with ExitStack() as stack:
        addresses = {}
        for name in ("", *_PARTS, "app/server (stock uvicorn)"):
            port = _free_port()
            serves = (sys.executable, "-m", "benchmarks.server_parts", "--serve", str(port))
            stock = (sys.executable, "-m", "app")
            environment = {_VARIANT: name, "ACCESS_LOG": "false", "PORT": str(port), "WORKERS": "2"}
            is_stock = name not in {"", *_PARTS}
            program = running(
                stock if is_stock else serves,
                folder=ROOT,
                environment=environment | ({"FAST_PATH": "false"} if is_stock else {}),
                log=folder / f"{port}.log",
            )
            stack.enter_context(program)
            addresses[name] = f"http://127.0.0.1:{port}"
        for address in addresses.values():
            _wait_until_ready(address)
        yield addresses


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(address: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{address}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass  # the port is not open yet
        time.sleep(0.1)
    message = f"The service at {address} is not ready after {_PATIENCE_SECONDS:g} seconds."
    raise TimeoutError(message)


def measure(rounds: int, seconds: int) -> ServerPartsResults:
    """Measure all variants."""
    digit, photograph = payloads.raw(payloads.digit_png()), payloads.raw(payloads.photo_jpeg())
    loads = [Load(f"{count} connection{'s' * (count > 1)}", digit, count) for count in (1, 16, 64)]
    loads.append(Load("photographs, 64 connections", photograph, 64))
    with tempfile.TemporaryDirectory() as folder, _services(Path(folder)) as addresses:
        columns = {load.name: _measure_load(load, addresses, rounds, seconds) for load in loads}
    shares = {part: {name: column[part] for name, column in columns.items()} for part in addresses if part}
    return ServerPartsResults(machine=Machine.here(), rounds=rounds, seconds=seconds, shares=shares)


def _measure_load(load: Load, addresses: Mapping[str, str], rounds: int, seconds: int) -> dict[str, list[float]]:
    """Return each variant's share of the whole's rate, by round. Refusals count as answers."""
    shares: dict[str, list[float]] = {name: [] for name in addresses}
    for _ in range(rounds):
        order = list(addresses)
        random.shuffle(order)
        rates = {}
        for name in order:
            found = drive(f"{addresses[name]}/predict", load.body, connections=load.connections, seconds=seconds)
            rates[name] = found.rate + found.refused / seconds
        for name, rate in rates.items():
            shares[name].append(rate / rates[""])
    return shares


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure what each part of app/server is worth.")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    else:
        require_wrk()
        measure(arguments.rounds, arguments.seconds).save()
        report.write()
