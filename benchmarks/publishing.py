"""Publishes version after version under load: `python -m benchmarks.publishing`. Asks what that does to those served.

The same open loop of load runs twice over a service with all its workers: while nothing is published, and while a new
version of the model that answers comes at even intervals. The bars: no failed request, a 99th percentile at most twice
the quiet one, and memory at most 15 % above what it was before.
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
from benchmarks.open_loop import OpenLoad, Timetable
from benchmarks.payloads import Body
from benchmarks.servers import digitserve
from benchmarks.serving import newest_version
from benchmarks.turn import Judge, Turn, take_turn

MODEL = "convnet"
MOST_SLOWER = 2.0
MOST_GROWTH = 1.15
_LEFT_ON_DISK = 5
_AGREE_WITHIN_SECONDS = 30
_ASKED_IN_A_ROW = 30


class Publishing(BaseModel):
    """What came of it."""

    publishes: int
    quiet: OpenLoad
    publishing: OpenLoad
    before_mb: float
    after_mb: float
    agreed_seconds: float
    """From one publish more, without load, until the last answer of the version before it, from whichever worker."""

    @property
    def failed(self) -> int:
        """Count the requests that were not answered right, refusals included."""
        load = self.publishing
        return load.refused.count + load.wrong + load.other + load.hung

    @property
    def slower(self) -> float:
        """Give the ratio of the 99th percentiles."""
        return self.publishing.good.milliseconds[99.0] / self.quiet.good.milliseconds[99.0]

    @property
    def growth(self) -> float:
        """Give the ratio of the memory held after to that before."""
        return self.after_mb / self.before_mb


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    publishes: Annotated[int, typer.Option(min=1, help="How many versions are published.")] = 500,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between two of them.")] = 1.0,
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 400.0,
    quiet_seconds: Annotated[int, typer.Option(min=1, help="How long the load runs before.")] = 60,
) -> None:
    """Measure it, and say whether the bars are met."""
    found = measure(models, publishes=publishes, interval=interval, rate=rate, quiet_seconds=quiet_seconds)
    for name, load in (("quiet", found.quiet), ("publishing", found.publishing)):
        times = ", ".join(f"p{share:g} {value:.1f}" for share, value in load.good.milliseconds.items())
        print(f"{name:11} {load.good.rate:.0f} answers/s, {times} ms; generator late {load.late_milliseconds:.1f} ms")
    print(f"failed      {found.failed} of {found.publishing.good.count + found.failed} (bar: 0)")
    print(f"p99         {found.slower:.2f} times the quiet one (bar: {MOST_SLOWER:g})")
    print(
        f"memory      {found.before_mb:.0f} to {found.after_mb:.0f} MB, {found.growth:.3f} times (bar: {MOST_GROWTH:g})"
    )
    print(f"agreement   of all workers {found.agreed_seconds:.1f} s after a publish (bar: 2)")


def measure(models: Path, *, publishes: int, interval: float, rate: float, quiet_seconds: int) -> Publishing:
    """Run the load twice over one service, on a copy of the models."""
    picture = Judge(newest_version(models / MODEL)).judge(payloads.digit_png())
    body = payloads.raw(picture.data)
    expected = f'"digit":{picture.normalised.digit}'.encode()
    with tempfile.TemporaryDirectory(prefix="digitserve-publishing-") as folder:
        served = Path(shutil.copytree(models, Path(folder) / "models"))
        with take_turn(digitserve(served), picture) as turn:
            quiet = open_loop.drive(turn.url("raw"), body, Timetable(rate, quiet_seconds, 64), expected=expected)
            before = turn.program.resident_mb()
            seconds = round(publishes * interval) + 1
            press = Press(newest_version(models / MODEL), served / MODEL)
            with _publishing(press, publishes, interval):
                load = open_loop.drive(turn.url("raw"), body, Timetable(rate, seconds, 64), expected=expected)
            agreed = _agreement(turn, body, press)
            return Publishing(
                publishes=publishes,
                quiet=quiet,
                publishing=load,
                before_mb=before,
                after_mb=turn.program.resident_mb(),
                agreed_seconds=agreed,
            )


class Press:
    """Publishes copies of one version, each whole or not at all, under the numbers that follow its own."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self.number = int(source.name)
        """The one that was published last."""

    def publish(self) -> None:
        """Publish the next version, and unpublish the oldest of more than a few."""
        self.number += 1
        hidden = Path(shutil.copytree(self._source, self._folder / f".{self.number}"))
        card = json.loads((hidden / "model.json").read_text())
        (hidden / "model.json").write_text(json.dumps(card | {"version": self.number}))
        hidden.rename(self._folder / str(self.number))
        shutil.rmtree(self._folder / str(self.number - _LEFT_ON_DISK), ignore_errors=True)


@contextmanager
def _publishing(press: Press, count: int, interval: float) -> Iterator[None]:
    """Publish versions one after the other, in a process that takes nothing from the generator of the load."""
    process = multiprocessing.get_context("spawn").Process(target=_publish_all, args=(press, count, interval))
    process.start()
    yield
    process.join()
    press.number += count


def _publish_all(press: Press, count: int, interval: float) -> None:
    started = time.monotonic()
    for place in range(count):
        time.sleep(max(0.0, started + place * interval - time.monotonic()))
        press.publish()


def _agreement(turn: Turn, body: Body, press: Press) -> float:
    """Publish one version more, and give the seconds until the last answer of the one before it."""
    press.publish()
    published = last = time.monotonic()
    in_a_row = 0
    while in_a_row < _ASKED_IN_A_ROW:
        answer = httpx.post(turn.url("raw"), content=body.data, headers={"content-type": body.content_type})
        in_a_row += 1
        if answer.json()["version"] != press.number:
            last, in_a_row = time.monotonic(), 0
        if last - published > _AGREE_WITHIN_SECONDS:
            message = f"After {_AGREE_WITHIN_SECONDS} seconds version {press.number} does not answer everywhere."
            raise TimeoutError(message)
    return last - published


if __name__ == "__main__":
    typer.run(main)
