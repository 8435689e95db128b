"""What was measured, and how it is kept: JSON files beside the page that is made of them. Judges nothing."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel

from benchmarks.closed_loop import ClosedLoad
from benchmarks.environments import ROOT
from benchmarks.machine import Machine
from benchmarks.open_loop import OpenLoad

FOLDER = ROOT / "docs" / "benchmarks"


class Measurement(BaseModel):
    """One closed loop against one server."""

    server: str
    scenario: str
    round: int
    load: ClosedLoad


class Start(BaseModel):
    """One start of a server."""

    server: str
    round: int
    seconds: float
    """From the start of its process to its first right answer."""
    resident_mb: float
    """Of all its processes after the load, shared memory counted once."""
    largest_resident_mb: float
    """Of its largest process, shared memory included."""


class Overload(BaseModel):
    """One open loop far above what the service can do."""

    picture: str
    seconds: int
    best: float
    """Good answers a second in a closed loop just before."""
    load: OpenLoad
    before_mb: float
    after_mb: float


class Results(BaseModel):
    """A file of results."""

    machine: Machine

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Self | None:
        """Read what was measured last, if anything was."""
        path = folder / cls.file_name()
        return cls.model_validate_json(path.read_bytes()) if path.is_file() else None

    def save(self, folder: Path = FOLDER) -> None:
        """Keep what was measured."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file_name()).write_text(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def file_name(cls) -> str:
        """Give the name of the file that holds this kind of results."""
        return cls.__name__.removesuffix("Results").lower() + ".json"


class ServingResults(Results):
    """All that `benchmarks.serving` measures."""

    wrk: str
    tensorflow: str
    model: str
    """The network in one line, with its multiply-adds."""
    picture_bytes: dict[str, int]
    rounds: int
    seconds: int
    labels: dict[str, str]
    """The servers that were measured, in their order."""
    unavailable: dict[str, str]
    """The servers that could not be, and why."""
    measurements: list[Measurement] = []
    starts: list[Start] = []
    overloads: list[Overload] = []

    def rates(self, server: str, scenario: str) -> dict[int, float]:
        """Give the answers a second in each round."""
        return self._each_round(server, scenario, lambda load: load.rate)

    def latencies(self, server: str, scenario: str, percentile: float) -> dict[int, float]:
        """Give the latency at a percentile, in milliseconds, in each round."""
        return self._each_round(server, scenario, lambda load: load.milliseconds[percentile])

    def _each_round(self, server: str, scenario: str, value: Callable[[ClosedLoad], float]) -> dict[int, float]:
        return {
            measurement.round: value(measurement.load)
            for measurement in self.measurements
            if (measurement.server, measurement.scenario) == (server, scenario)
        }

    def fastest(self, server: str, picture: str, connections: int) -> str | None:
        """Choose the scenario in which a server answers single pictures of a kind fastest, if it takes them at all."""
        names = [f"{picture}-{shape}-{connections}" for shape in ("raw", "multipart", "tensor")]
        rates = {name: median(self.rates(server, name)) for name in names if self.rates(server, name)}
        return max(rates, key=lambda name: rates[name]) if rates else None

    def starts_of(self, server: str) -> list[Start]:
        """Give a server's starts."""
        return [start for start in self.starts if start.server == server]

    def faults(self) -> dict[str, int]:
        """Count, for each server that had any, the answers in closed loops that were not 2xx, or did not come."""
        counts: defaultdict[str, int] = defaultdict(int)
        for measurement in self.measurements:
            counts[measurement.server] += measurement.load.refused + measurement.load.broken
        return {server: count for server, count in counts.items() if count}


class TrainingMeasurement(BaseModel):
    """One run of one training program."""

    model: str
    program: str
    round: int
    microseconds: list[float]
    """A step, in each of several stretches of many steps."""


class TrainingResults(Results):
    """All that `benchmarks.training` measures."""

    rounds: int
    stretches: int
    steps: dict[str, int]
    """In one stretch, by model."""
    versions: dict[str, str]
    unavailable: dict[str, str]
    measurements: list[TrainingMeasurement] = []

    def steps_of(self, model: str, program: str) -> dict[int, float]:
        """Give the median time of a step in each round, in microseconds."""
        return {
            measurement.round: float(np.median(measurement.microseconds))
            for measurement in self.measurements
            if (measurement.model, measurement.program) == (model, program)
        }


class StagesResults(Results):
    """All that `benchmarks.stages` measures: for each shape of request, the microseconds of each stage."""

    rounds: int
    repeats: int
    microseconds: dict[str, dict[str, list[float]]]
    """Request -> stage -> the mean of each round's repeats."""


def median(rounds: dict[int, float]) -> float:
    """Give the median of the rounds."""
    return float(np.median(list(rounds.values())))


def ratios(above: dict[int, float], below: dict[int, float]) -> list[float]:
    """Divide round by round, so that a round in which the machine was slow speaks of both."""
    return [above[number] / below[number] for number in above if number in below]
