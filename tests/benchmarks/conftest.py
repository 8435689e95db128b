"""Small results for the tests: two rounds of this service, of do-nothing and of two other servers."""

import sys
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.closed_loop import ClosedLoad
from benchmarks.machine import Machine
from benchmarks.open_loop import PERCENTILES, Answers, OpenLoad
from benchmarks.results import Measurement, Overload, ServingResults, Start, TrainingMeasurement, TrainingResults

RATES = {
    "do-nothing": 1000.0,
    "digitserve": 500.0,
    "digitserve-one-worker": 250.0,
    "fastapi_openvino": 125.0,
    "litserve": 50.0,
}


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every server run in the environment of the tests."""
    monkeypatch.setattr(servers, "prepare", lambda *_: Path(sys.executable).parent)


@pytest.fixture
def machine() -> Machine:
    return Machine(
        processor="Abacus",
        cores=2,
        memory_gb=24,
        system="Linux 6",
        python="3.11",
        packages={"fastapi": "0.1"},
        commit="0000000",
        date="2026-01-01 00:00 UTC",
        busy=0.1,
    )


@pytest.fixture
def serving(machine: Machine) -> ServingResults:
    shapes = {"litserve": ["multipart"]}
    return ServingResults(
        machine=machine,
        wrk="4.1.0",
        tensorflow="2.21.0",
        model="convnet",
        picture_bytes={"digit": 209, "drawing": 10_303},
        rounds=2,
        seconds=1,
        labels={name: name.title() for name in RATES},
        unavailable={"Ray Serve": "no wheel"},
        measurements=[
            Measurement(
                server=server, scenario=f"digit-{shape}-{connections}", round=number, load=load(rate * (1 + number))
            )
            for server, rate in RATES.items()
            for shape in shapes.get(server, ["raw", "multipart"])
            for connections in (1, 16, 64)
            for number in (0, 1)
        ],
        starts=[Start(server="digitserve-one-worker", round=0, seconds=1.5, resident_mb=90, largest_resident_mb=190)],
        overloads=[
            Overload(
                picture="photo",
                seconds=2,
                best=100,
                load=OpenLoad(
                    offered=1000,
                    sent=1000,
                    connections=2000,
                    late_milliseconds=1,
                    good=answers(95),
                    refused=answers(905),
                    wrong=0,
                    without_retry_after=3,
                    other=0,
                    hung=0,
                ),
                before_mb=100,
                after_mb=105,
            )
        ],
    )


@pytest.fixture
def training(machine: Machine) -> TrainingResults:
    return TrainingResults(
        machine=machine,
        rounds=1,
        stretches=2,
        steps={"softmax": 500, "convnet": 100},
        versions={"Keras": "3"},
        unavailable={},
        measurements=[
            TrainingMeasurement(model="softmax", program=program, round=0, microseconds=[time, time])
            for program, time in (("training", 100), ("keras", 700), ("pytorch", 90))
        ],
    )


def load(rate: float) -> ClosedLoad:
    return ClosedLoad(rate=rate, milliseconds={share: share / rate for share in PERCENTILES}, refused=0, broken=0)


def answers(each_second: int) -> Answers:
    return Answers(
        count=each_second * 2,
        milliseconds=dict.fromkeys(PERCENTILES, 40.0),
        each_second=[each_second, each_second],
    )
