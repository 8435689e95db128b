"""The results of the benchmarks, stored as JSON files. Knows no bars."""

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
    """From the start of its process to its first correct answer."""
    resident_mb: float
    """The memory of all of its processes after the load. Shared memory is counted once (PSS)."""
    largest_resident_mb: float
    """The memory of its largest process, including shared memory (RSS)."""


class Overload(BaseModel):
    """One open loop with a rate far above the service's capacity."""

    picture: str
    seconds: int
    best: float
    """The answers a second in a closed loop just before: the capacity."""
    load: OpenLoad
    before_mb: float
    after_mb: float


class Results(BaseModel):
    """A file of results."""

    machine: Machine

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Self | None:
        """Load the last results, or return None if there are none."""
        path = folder / cls.file_name()
        return cls.model_validate_json(path.read_bytes()) if path.is_file() else None

    def save(self, folder: Path = FOLDER) -> None:
        """Store the results."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file_name()).write_text(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def file_name(cls) -> str:
        """Return the name of the file with this kind of results."""
        return cls.__name__.removesuffix("Results").lower() + ".json"


class ServingResults(Results):
    """The results of `benchmarks.serving`."""

    wrk: str
    tensorflow: str
    model: str
    """The description of the network, with its multiply-adds."""
    picture_bytes: dict[str, int]
    rounds: int
    seconds: int
    labels: dict[str, str]
    """The label of each measured server, by name and in order."""
    unavailable: dict[str, str]
    """The reason why a server could not be measured, by name."""
    measurements: list[Measurement] = []
    starts: list[Start] = []
    overloads: list[Overload] = []

    def rates(self, server: str, scenario: str) -> dict[int, float]:
        """Return the answers a second in each round."""
        return self._each_round(server, scenario, lambda load: load.rate)

    def latencies(self, server: str, scenario: str, percentile: float) -> dict[int, float]:
        """Return the latency at a percentile in each round, in milliseconds."""
        return self._each_round(server, scenario, lambda load: load.milliseconds[percentile])

    def _each_round(self, server: str, scenario: str, value: Callable[[ClosedLoad], float]) -> dict[int, float]:
        return {
            measurement.round: value(measurement.load)
            for measurement in self.measurements
            if (measurement.server, measurement.scenario) == (server, scenario)
        }

    def fastest(self, server: str, picture: str, connections: int) -> str | None:
        """Return the scenario in which a server answers single pictures of this kind fastest, or None."""
        names = [f"{picture}-{shape}-{connections}" for shape in ("raw", "multipart", "tensor")]
        rates = {name: median(self.rates(server, name)) for name in names if self.rates(server, name)}
        return max(rates, key=lambda name: rates[name]) if rates else None

    def starts_of(self, server: str) -> list[Start]:
        """Return the starts of a server."""
        return [start for start in self.starts if start.server == server]

    def faults(self) -> dict[str, int]:
        """Return the number of requests in closed loops without an answer 2xx, for each server that had any."""
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
    """The time of a step, in each of several stretches of many steps."""


class TrainingResults(Results):
    """The results of `benchmarks.training`."""

    rounds: int
    stretches: int
    steps: dict[str, int]
    """The steps of a stretch, by model."""
    versions: dict[str, str]
    unavailable: dict[str, str]
    measurements: list[TrainingMeasurement] = []

    def steps_of(self, model: str, program: str) -> dict[int, float]:
        """Return the median time of a step in each round, in microseconds."""
        return {
            measurement.round: float(np.median(measurement.microseconds))
            for measurement in self.measurements
            if (measurement.model, measurement.program) == (model, program)
        }


class ServerPartsResults(Results):
    """The results of `benchmarks.server_parts`."""

    rounds: int
    seconds: int
    """The length of one measurement."""
    shares: dict[str, dict[str, list[float]]]
    """The rate without a part, as a share of the whole's rate: by part, load and round."""


class StagesResults(Results):
    """The results of `benchmarks.stages`: the microseconds of each stage, for each shape of request."""

    rounds: int
    repeats: int
    microseconds: dict[str, dict[str, list[float]]]
    """By request and stage: the mean of the repeats of each round."""


def median(rounds: dict[int, float]) -> float:
    """Return the median of the rounds."""
    return float(np.median(list(rounds.values())))


def ratios(numerators: dict[int, float], denominators: dict[int, float]) -> list[float]:
    """Return the ratio in each round. In a round in which the machine was slow, both values are affected."""
    return [numerators[number] / denominators[number] for number in numerators if number in denominators]
