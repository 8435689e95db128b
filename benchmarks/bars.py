"""The targets (bars): limits for the measured results, and whether they are met. Measures nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.results import ServingResults, TrainingResults, median, ratios
from benchmarks.servers import BATCH, EQUAL_ENGINES

_MANY_CALLS = (
    "Decoding the PNG and running the network take much of the time, and no faster library for either was found. The "
    "rest is many calls of OpenCV and NumPy on few pixels, about half of which is overhead of Python."
)
_BATCHED_SINGLES = (
    "Single pictures that are received together are also processed as a batch. A request with many pictures therefore "
    "saves little. Most of the remaining cost is the arithmetic of the network."
)
_GENERATOR = (
    "With two workers, no core is left for the load generator. Each worker also gets half of the connections, so its "
    "batches are half as large, and the network takes longer for each image of a smaller batch."
)
_WAIT = (
    "Few requests are refused, so each request waits until the requests of all other connections are answered. "
    "Refusing more would not help, because refused clients retry immediately."
)
_REFUSALS = (
    "The same cores receive and refuse the requests above the limit. The time for refusals, much of it in the kernel "
    "and in the load generator, is not available for answers."
)
_HAPROXY = (
    "The target was set for the default of Ray Serve. It now runs with HAProxy and its flag for throughput, which make "
    "it many times as fast."
)
_MORE_MODELS = (
    "The target was set when a worker had two models. Now it has four: also the large convnet and the page finder. All "
    "are loaded before the first answer."
)
_STEP_CALLS = (
    "In the loop that a student reads, Python draws each batch and calls TensorFlow for each step. These calls take "
    "longer than the arithmetic of softmax. An earlier loop took many steps in one call."
)

OURS, ONE_WORKER, DO_NOTHING = "digitserve", "digitserve-one-worker", "do-nothing"


@dataclass(frozen=True)
class Bar:
    """One bar: the values measured in each round, and the limit for their median."""

    text: str
    found: list[float]
    limit: float
    at_least: bool = True
    unit: str = ""
    obstacle: str = ""
    """The known reason why it may not be met."""

    @property
    def value(self) -> float:
        """The median."""
        return float(np.median(self.found))

    @property
    def met(self) -> bool:
        """Whether the median is within the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def serving_bars(results: ServingResults) -> list[Bar]:
    """Return the bars of serving that were measured."""
    sources: tuple[Callable[[ServingResults], Iterator[Bar]], ...] = (
        _against_do_nothing,
        _against_peers,
        _ours_alone,
        _start,
        _overload,
    )
    return [bar for source in sources for bar in source(results) if bar.found]


def _against_do_nothing(results: ServingResults) -> Iterator[Bar]:
    for shape, limit in (("raw", 0.4), ("multipart", 0.55)):
        for connections in (16, 64):
            name = f"digit-{shape}-{connections}"
            found = ratios(results.rates(OURS, name), results.rates(DO_NOTHING, name))
            yield Bar(f"{shape}, {connections} connections: rate / do nothing", found, limit)
    name = "digit-raw-1"
    found = ratios(results.latencies(OURS, name, 50), results.latencies(DO_NOTHING, name, 50))
    yield Bar("raw, one connection: p50 / p50 of do nothing", found, 2.5, at_least=False)


def _against_peers(results: ServingResults) -> Iterator[Bar]:
    peers = {"litserve": 8.0, "bentoml": 8.0, "ray": 8.0, "mlserver": 5.0, "fastapi_tensorflow": 3.5}
    for connections in (16, 64):
        ours = results.rates(OURS, f"digit-raw-{connections}")
        for peer, limit in peers.items():
            best = results.fastest(peer, "digit", connections)
            found = ratios(ours, results.rates(peer, best)) if best else []
            text = f"raw, {connections} connections: rate / {results.labels.get(peer, peer)}"
            yield Bar(text, found, limit, obstacle=_HAPROXY if peer == "ray" else "")
    for connections in (16, 64):
        name = f"digit-multipart-{connections}"
        found = ratios(results.rates(OURS, name), results.rates("fastapi_tensorflow", name))
        yield Bar(f"multipart, {connections} connections: rate / FastAPI + TensorFlow", found, 2.5)
    drawings = {peer: best for peer in (*EQUAL_ENGINES, *peers) if (best := results.fastest(peer, "drawing", 16))}
    if drawings:
        rival = max(drawings, key=lambda peer: median(results.rates(peer, drawings[peer])))
        ours = results.rates(OURS, results.fastest(OURS, "drawing", 16) or "")
        found = ratios(ours, results.rates(rival, drawings[rival]))
        yield Bar(
            f"drawing of 280x280: rate / best of the peers ({results.labels[rival]})", found, 5.0, obstacle=_MANY_CALLS
        )


def _ours_alone(results: ServingResults) -> Iterator[Bar]:
    name = "digit-raw-64"
    found = ratios(results.latencies(OURS, name, 99), results.latencies(OURS, name, 50))
    yield Bar("raw, 64 connections: p99 / p50", found, 6.0, at_least=False)
    pictures = {number: rate * BATCH for number, rate in results.rates(OURS, "digit-batch-4").items()}
    for shape in ("raw", "multipart"):
        found = ratios(pictures, results.rates(OURS, f"digit-{shape}-64"))
        yield Bar(
            f"batches of 64: pictures a second / single pictures a second, {shape}",
            found,
            2.5,
            obstacle=_BATCHED_SINGLES,
        )
    for connections in (16, 64):
        name = f"digit-raw-{connections}"
        found = ratios(results.rates(OURS, name), results.rates(ONE_WORKER, name))
        yield Bar(f"raw, {connections} connections: two workers / one", found, 1.7, obstacle=_GENERATOR)


def _start(results: ServingResults) -> Iterator[Bar]:
    starts = results.starts_of(ONE_WORKER)
    seconds = [start.seconds for start in starts]
    text = "one worker: start to first correct answer"
    yield Bar(text, seconds, 2.0, at_least=False, unit="s", obstacle=_MORE_MODELS)
    memory = [start.largest_resident_mb for start in starts]
    yield Bar("one worker: resident memory", memory, 180.0, at_least=False, unit="MB", obstacle=_MORE_MODELS)


def _overload(results: ServingResults) -> Iterator[Bar]:
    for overload in results.overloads:
        load, text = overload.load, f"overload with the {overload.picture}"
        p99 = load.good.milliseconds.get(99.0)
        refused = load.refused.milliseconds.get(99.0)
        yield Bar(
            f"{text}: p99 of correct answers", [p99] if p99 else [], 250, at_least=False, unit="ms", obstacle=_WAIT
        )
        yield Bar(f"{text}: p99 of refusals", [refused] if refused else [], 50, at_least=False, unit="ms")
        faults = load.hung + load.wrong + load.without_retry_after + load.other
        yield Bar(f"{text}: number of faulty responses", [float(faults)], 0, at_least=False)
        growth = (overload.after_mb / overload.before_mb - 1) * 100
        yield Bar(f"{text}: growth of memory", [growth], 10, at_least=False, unit="%")
        share = load.good.rate / overload.best
        yield Bar(f"{text}: correct answers a second / highest rate without overload", [share], 0.9, obstacle=_REFUSALS)


def training_bars(results: TrainingResults) -> list[Bar]:
    """Return the bars of training that were measured."""
    bars = []
    for model, limit in (("softmax", 6.0), ("convnet", 1.15)):
        ours = results.steps_of(model, "training")
        found = ratios(results.steps_of(model, "keras"), ours)
        obstacle = _STEP_CALLS if model == "softmax" else ""
        bars.append(Bar(f"{model}: time of a step, keras fit / ours", found, limit, obstacle=obstacle))
        found = ratios(results.steps_of(model, "pytorch"), ours)
        bars.append(Bar(f"{model}: time of a step, PyTorch / ours", found, 1.0, obstacle=obstacle))
    return [bar for bar in bars if bar.found]
