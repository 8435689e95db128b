"""Measure what a request costs one worker: `python -m benchmarks.unit_costs` prints the tables of docs/scale.md.

The load generator wrk runs beside the service, so the rate of one core is computed from the processor time that all
processes of the service take for a request.
"""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import httpx
import numpy as np
import typer

from benchmarks import payloads, processes
from benchmarks.closed_loop import drive, require_wrk
from benchmarks.environments import CACHE, ROOT, prepare
from benchmarks.finding import draw_sheet
from benchmarks.payloads import Body
from benchmarks.processes import Program, unwind_when_terminated
from imaging import encode_png

_START_SECONDS = 60


class Kind(NamedTuple):
    """A kind of request."""

    name: str
    path: str
    body: Body
    connections: int


class Cost(NamedTuple):
    """What a request costs."""

    milliseconds: float
    """Of processor time, in all processes of the service."""
    bytes_in: int
    """Of the request, without its head."""
    bytes_out: int
    """Of the response, without its head."""


def list_kinds() -> list[Kind]:
    """List the kinds of requests."""
    digit, drawing, photo = payloads.digit_png(), payloads.drawing_png(), payloads.photo_jpeg()
    sheet = encode_png(draw_sheet(10, 10)[..., 0])
    tensor = payloads.tensors(payloads.decode_plainly(digit)[np.newaxis])
    return [
        Kind("`/predict`, 28x28 PNG, 1 connection", "/predict", payloads.raw(digit), 1),
        Kind("`/predict`, 28x28 PNG, 64 connections", "/predict", payloads.raw(digit), 64),
        Kind("`/predict`, drawing of 280x280, 64 connections", "/predict", payloads.raw(drawing), 64),
        Kind("`/predict`, JPEG of a megapixel, 4 connections", "/predict", payloads.raw(photo), 4),
        Kind("`/read`, sheet of 100 digits, 2 connections", "/read", payloads.raw(sheet), 2),
        Kind("`/v2/models/convnet/infer`, 64 connections", "/v2/models/convnet/infer", tensor, 64),
    ]


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    rounds: Annotated[int, typer.Option(min=1, help="How often each figure is measured, in turn.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="How long each figure is measured.")] = 3,
) -> None:
    """Measure all kinds of requests with one worker, and print the tables."""
    unwind_when_terminated()
    require_wrk()
    with _service(models) as (program, url, start_seconds):
        idle_mb = program.resident_mb()
        kinds = list_kinds()
        costs = [[measure(program, url, kind, seconds) for kind in kinds] for _ in range(rounds)]
        busy_mb = program.resident_mb()
    print("| request | processor time, ms | requests a second on one core | bytes in | bytes out |")
    print("|---|---:|---:|---:|---:|")
    for kind, of_kind in zip(kinds, zip(*costs, strict=True), strict=True):
        median = statistics.median(cost.milliseconds for cost in of_kind)
        sizes = f"{of_kind[0].bytes_in:,} | {of_kind[0].bytes_out:,}"
        print(f"| {kind.name} | {median:.3g} | {1000 / median:,.0f} | {sizes} |")
    print(
        f"\nStart of a worker: {start_seconds:.1f} s. Memory: {idle_mb:.0f} MB idle, {busy_mb:.0f} MB after the load."
    )


@contextmanager
def _service(models: Path) -> Iterator[tuple[Program, str, float]]:
    """Start the service with one worker. Yield it, its address, and after how many seconds it was ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    python = str(prepare("digitserve", ROOT / "requirements" / "serve.txt") / "python")
    environment = {"PORT": str(port), "WORKERS": "1", "ACCESS_LOG": "false", "MODELS_DIR": str(models.absolute())}
    log = CACHE / "logs" / "unit-costs.log"
    with processes.running((python, "-m", "app"), folder=ROOT, environment=environment, log=log) as program:
        url = f"http://127.0.0.1:{port}"
        started = time.monotonic()
        while not _is_ready(url):
            if program.has_ended() or time.monotonic() > started + _START_SECONDS:
                message = f"The service does not start: {program.log_tail()}"
                raise RuntimeError(message)
            time.sleep(0.02)
        yield program, url, time.monotonic() - started


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


def measure(program: Program, url: str, kind: Kind, seconds: int) -> Cost:
    """Send requests of one kind, and divide the processor time by their number."""
    headers = {"Content-Type": kind.body.content_type}
    response = httpx.post(f"{url}{kind.path}", content=kind.body.data, headers=headers).raise_for_status()
    before = program.processor_seconds()
    load = drive(f"{url}{kind.path}", kind.body, connections=kind.connections, seconds=seconds)
    answered = load.rate * seconds
    spent = program.processor_seconds() - before
    return Cost(1000 * spent / answered, len(kind.body.data), len(response.content))


if __name__ == "__main__":
    typer.run(main)
