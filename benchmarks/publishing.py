"""Publish many model versions under load: `python -m benchmarks.publishing`. Measure the effect on requests and memory.

The same open loop runs twice over one service: without publishing, and while new versions of the served model are
published at equal intervals. The bars: no failed request, a 99th percentile of the latency at most twice that without
publishing, and at most 15 % more memory.
"""

import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from pydantic import BaseModel

from benchmarks import open_loop, payloads
from benchmarks.environments import ROOT
from benchmarks.open_loop import OpenLoad, Schedule
from benchmarks.payloads import Body
from benchmarks.servers import digitserve
from benchmarks.serving import newest_version
from benchmarks.turn import Reference, Turn, take_turn

MODEL = "convnet"
MAX_SLOWDOWN = 2.0
MAX_GROWTH = 1.15
_VERSIONS_ON_DISK = 5
_AGREEMENT_TIMEOUT_SECONDS = 30
_CONSECUTIVE_ANSWERS = 30
"""After this many consecutive answers of the new version, all workers are assumed to serve it."""


class Publishing(BaseModel):
    """The results of both runs."""

    publishes: int
    quiet: OpenLoad
    publishing: OpenLoad
    before_mb: float
    after_mb: float
    agreed_seconds: float
    """The time from publishing one more version, without load, to the last answer of the version before it."""

    @property
    def failed(self) -> int:
        """The number of requests without a correct answer, including refused requests."""
        load = self.publishing
        return load.refused.count + load.wrong + load.other + load.hung

    @property
    def slowdown(self) -> float:
        """The ratio of the 99th percentiles of the latency."""
        return self.publishing.good.milliseconds[99.0] / self.quiet.good.milliseconds[99.0]

    @property
    def growth(self) -> float:
        """The ratio of the memory after publishing to the memory before."""
        return self.after_mb / self.before_mb


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    publishes: Annotated[int, typer.Option(min=1, help="How many versions are published.")] = 500,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between two of them.")] = 1.0,
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 400.0,
    quiet_seconds: Annotated[int, typer.Option(min=1, help="How long the load runs before.")] = 60,
) -> None:
    """Measure both runs, and print the results with the bars."""
    found = measure(models, publishes=publishes, interval=interval, rate=rate, quiet_seconds=quiet_seconds)
    for name, load in (("quiet", found.quiet), ("publishing", found.publishing)):
        times = ", ".join(f"p{share:g} {value:.1f}" for share, value in load.good.milliseconds.items())
        print(f"{name:11} {load.good.rate:.0f} answers/s, {times} ms; generator late {load.late_milliseconds:.1f} ms")
    print(f"failed      {found.failed} of {found.publishing.good.count + found.failed} (bar: 0)")
    print(f"p99         {found.slowdown:.2f} times the quiet one (bar: {MAX_SLOWDOWN:g})")
    print(
        f"memory      {found.before_mb:.0f} to {found.after_mb:.0f} MB, {found.growth:.3f} times (bar: {MAX_GROWTH:g})"
    )
    print(f"agreement   of all workers {found.agreed_seconds:.1f} s after a publish (bar: 2)")


def measure(models: Path, *, publishes: int, interval: float, rate: float, quiet_seconds: int) -> Publishing:
    """Run the load twice over one service, with a copy of the models."""
    picture = Reference(newest_version(models / MODEL)).predict(payloads.digit_png())
    body = payloads.raw(picture.data)
    expected = f'"digit":{picture.normalised.digit}'.encode()
    with tempfile.TemporaryDirectory(prefix="digitserve-publishing-") as folder:
        served = Path(shutil.copytree(models, Path(folder) / "models"))
        with take_turn(digitserve(served), picture) as turn:
            quiet = open_loop.drive(turn.url("raw"), body, Schedule(rate, quiet_seconds, 64), expected=expected)
            before = turn.program.resident_mb()
            seconds = round(publishes * interval) + 1
            publisher = Publisher(newest_version(models / MODEL), served / MODEL)
            with _publishing(publisher, publishes, interval):
                load = open_loop.drive(turn.url("raw"), body, Schedule(rate, seconds, 64), expected=expected)
            agreed = _agreement(turn, body, publisher)
            return Publishing(
                publishes=publishes,
                quiet=quiet,
                publishing=load,
                before_mb=before,
                after_mb=turn.program.resident_mb(),
                agreed_seconds=agreed,
            )


class Publisher:
    """Publishes copies of one version atomically, with the next version numbers."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self.number = int(source.name)
        """The version that was published last."""

    def publish(self) -> None:
        """Publish the next version, and remove the oldest of more than a few versions."""
        self.number += 1
        hidden = Path(shutil.copytree(self._source, self._folder / f".{self.number}"))
        card = json.loads((hidden / "model.json").read_text())
        (hidden / "model.json").write_text(json.dumps(card | {"version": self.number}))
        hidden.rename(self._folder / str(self.number))
        shutil.rmtree(self._folder / str(self.number - _VERSIONS_ON_DISK), ignore_errors=True)


@contextmanager
def _publishing(publisher: Publisher, count: int, interval: float) -> Iterator[None]:
    """Publish versions in a process of their own, which does not delay the load generator."""
    process = multiprocessing.get_context("spawn").Process(target=_publish_all, args=(publisher, count, interval))
    process.start()
    yield
    process.join()
    publisher.number += count


def _publish_all(publisher: Publisher, count: int, interval: float) -> None:
    started = time.monotonic()
    for index in range(count):
        time.sleep(max(0.0, started + index * interval - time.monotonic()))
        publisher.publish()


def _agreement(turn: Turn, body: Body, publisher: Publisher) -> float:
    """Publish one more version, and return the seconds until the last answer of the version before it."""
    publisher.publish()
    published = last = time.monotonic()
    in_a_row = 0
    while in_a_row < _CONSECUTIVE_ANSWERS:
        answer = httpx.post(turn.url("raw"), content=body.data, headers={"content-type": body.content_type})
        in_a_row += 1
        if answer.json()["version"] != publisher.number:
            last, in_a_row = time.monotonic(), 0
        if last - published > _AGREEMENT_TIMEOUT_SECONDS:
            message = f"After {_AGREEMENT_TIMEOUT_SECONDS} seconds, not every worker serves version {publisher.number}."
            raise TimeoutError(message)
    return last - published


if __name__ == "__main__":
    typer.run(main)
