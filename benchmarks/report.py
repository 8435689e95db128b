"""Write `docs/benchmarks.md` from the stored results. Measures nothing."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import Template
from textwrap import shorten

import numpy as np

from benchmarks import figures
from benchmarks.bars import OURS, Bar, serving_bars, training_bars
from benchmarks.environments import ROOT
from benchmarks.machine import Machine
from benchmarks.results import (
    FOLDER,
    Overload,
    ServerPartsResults,
    ServingResults,
    StagesResults,
    TrainingResults,
    median,
    ratios,
)
from benchmarks.scenarios import pictures_in
from benchmarks.servers import EQUAL_ENGINES

PAGE = ROOT / "docs" / "benchmarks.md"
_TEMPLATE = Path(__file__).parent / "report.md"
_REASON_CHARACTERS = 300
"""The most characters that are printed of the reason why a program could not be measured."""
_SHAPES = (("raw body", "raw"), ("multipart", "multipart"), ("tensor in JSON", "tensor"))

_MEMORY = """*PSS* is the memory of all processes of a server after the load, with shared memory counted once. *RSS* is
the resident memory of the largest process, including shared memory."""

_OVERLOAD = """Requests are sent at ten times the rate that the service reached just before, at times that do not depend
on its responses. The time of a request counts from the moment it was due. A request is not sent if all connections are
waiting for a response. *Sent* is the rate of the requests that were sent. The load generator runs on the same cores as
the service, and takes more processor time at a higher rate."""


def write(page: Path = PAGE, folder: Path = FOLDER) -> None:
    """Write the page and its plots. Where there are no results, say so."""
    serving, training, stages = ServingResults.load(folder), TrainingResults.load(folder), StagesResults.load(folder)
    bars = [*(serving_bars(serving) if serving else []), *(training_bars(training) if training else [])]
    parts = ServerPartsResults.load(folder)
    sections = {
        "equal_engines": _equal_engines(serving) if serving else _missing("serving"),
        "bars": _bars(bars),
        "serving": _serving(serving, folder) if serving else _missing("serving"),
        "training": _training(training) if training else _missing("training"),
        "server_parts": _server_parts(parts) if parts else _missing("server_parts"),
        "stages": _stages(stages) if stages else _missing("stages"),
    }
    page.write_text(Template(_TEMPLATE.read_text()).substitute(sections))
    print(f"Wrote {page}")


def _missing(command: str) -> str:
    return f"Not measured yet: `python -m benchmarks.{command}`."


def _equal_engines(results: ServingResults) -> str:
    """Return a table of this service's rate as a multiple of each peer's with the same engine."""
    columns = {
        "1 connection": ("digit", 1),
        "16": ("digit", 16),
        "64": ("digit", 64),
        "drawing, 16": ("drawing", 16),
    }
    rows = [
        (results.labels[peer], *(_spread(_times(results, peer, *column)) for column in columns.values()))
        for peer in EQUAL_ENGINES
        if peer in results.labels
    ]
    return _table(("", *columns), rows)


def _times(results: ServingResults, peer: str, picture: str, connections: int) -> list[float]:
    """Return this service's rate as a multiple of a peer's in each round, both in their fastest formats."""
    ours, theirs = (results.fastest(server, picture, connections) for server in (OURS, peer))
    return ratios(results.rates(OURS, ours), results.rates(peer, theirs)) if ours and theirs else []


def _bars(bars: Sequence[Bar]) -> str:
    rows = [
        (
            bar.text,
            _spread(bar.found, bar.unit),
            f"at {'least' if bar.at_least else 'most'} {bar.limit:g} {bar.unit}".strip(),
            "met" if bar.met else "**not met**",
        )
        for bar in bars
    ]
    table = _table(("", "measured", "target", ""), rows)
    obstacles: defaultdict[str, list[str]] = defaultdict(list)
    for bar in bars:
        if bar.obstacle and not bar.met:
            obstacles[bar.obstacle].append(f"*{bar.text}*")
    if not obstacles:
        return table
    reasons = "\n".join(f"- {', '.join(texts)}: {obstacle}" for obstacle, texts in obstacles.items())
    return f"{table}\n\nKnown reasons for the targets that are not met:\n\n{reasons}"


def _serving(results: ServingResults, folder: Path) -> str:
    figures.draw_serving(results, folder)
    sections = [
        _machine(results.machine),
        _method(results),
        *[f"### Answers a second, {text}\n\n{_rates(results, shape)}" for text, shape in _SHAPES],
        f"### Larger requests\n\nPictures a second.\n\n{_larger(results)}",
        f"### Latency, milliseconds\n\nIn the fastest request format of each server.\n\n{_latencies(results)}",
        "![Answers a second against connections](benchmarks/rates.png)",
        "![Latency at each percentile](benchmarks/latencies.png)",
        f"### Start and memory\n\n{_MEMORY}\n\n{_starts(results)}",
    ]
    if results.overloads:
        sections += ["### Overload", _OVERLOAD, _overloads(results.overloads), "![Overload](benchmarks/overload.png)"]
    sections.append(f"### Faults\n\n{_faults(results)}")
    return "\n\n".join(sections)


def _method(results: ServingResults) -> str:
    return (
        f"The model is {results.model}; the peers run it in TensorFlow {results.tensorflow} or OpenVINO. The load "
        f"generator is wrk {results.wrk} on the same machine, with one thread. The servers were measured alternately "
        f"in {results.rounds} rounds, {results.seconds} s for each figure. Every figure is the median of the rounds, "
        "with the lowest and the highest value in brackets. The digit is a PNG of "
        f"{results.picture_bytes['digit']} bytes, the drawing a PNG of {results.picture_bytes['drawing']:,} bytes."
    )


def _machine(machine: Machine) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Measured {machine.date} at commit `{machine.commit}` on {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gb} GB, {machine.system}, Python {machine.python}, {packages}. Load average before the run: "
        f"{machine.busy:g}."
    )


def _rates(results: ServingResults, shape: str) -> str:
    names = [f"digit-{shape}-{connections}" for connections in (1, 16, 64)]
    rows = [
        (label, *(_spread(list(results.rates(server, name).values())) for name in names))
        for server, label in results.labels.items()
        if any(results.rates(server, name) for name in names)
    ]
    return _table(("", "1 connection", "16", "64"), rows)


def _larger(results: ServingResults) -> str:
    names = {
        "drawing, raw, 16 connections": "drawing-raw-16",
        "drawing, multipart, 16": "drawing-multipart-16",
        "`/predict/batch` of 64 digits, 4": "digit-batch-4",
    }
    rows = []
    for server, label in results.labels.items():
        cells = [_pictures(results, server, name) for name in names.values()]
        if any(cells):
            rows.append((label, *cells))
    return _table(("", *names), rows)


def _pictures(results: ServingResults, server: str, name: str) -> str:
    count = pictures_in("batch") if "batch" in name else 1
    return _spread([rate * count for rate in results.rates(server, name).values()])


def _latencies(results: ServingResults) -> str:
    rows = []
    for server, label in results.labels.items():
        cells = [
            f"{median(results.latencies(server, best, share)):.2f}" if best else ""
            for best in (results.fastest(server, "digit", connections) for connections in (1, 64))
            for share in (50.0, 99.0, 99.9)
        ]
        rows.append((label, *cells))
    titles = [f"{percentile}, {end}" for end in ("1 connection", "64") for percentile in ("p50", "p99", "p99.9")]
    return _table(("", *titles), rows)


def _starts(results: ServingResults) -> str:
    rows = []
    for server, label in results.labels.items():
        starts = results.starts_of(server)
        columns = (
            [start.seconds for start in starts],
            [start.resident_mb for start in starts],
            [start.largest_resident_mb for start in starts],
        )
        rows.append((label, *map(_spread, columns)))
    return _table(("", "first correct answer, s", "memory (PSS), MB", "largest process (RSS), MB"), rows)


def _overloads(overloads: Sequence[Overload]) -> str:
    titles = ("", *(f"the {overload.picture}, {overload.seconds} s" for overload in overloads))
    columns = [_overload_column(overload) for overload in overloads]
    rows = [(title, *(column[title] for column in columns)) for title in columns[0]]
    return _table(titles, rows)


def _overload_column(overload: Overload) -> dict[str, str]:
    load = overload.load
    return {
        "highest rate without overload (closed loop)": f"{overload.best:,.0f} /s",
        "requests due": f"{load.offered:,.0f} /s",
        f"sent, over {load.connections:,} connections": f"{load.sent:,.0f} /s",
        "delay of sending, p99": f"{load.late_milliseconds:,.1f} ms",
        "correct answers": f"{load.good.rate:,.0f} /s",
        "correct answers: p50, p99, slowest": _three(load.good.milliseconds),
        "refusals with 503": f"{load.refused.rate:,.0f} /s",
        "refusals: p50, p99, slowest": _three(load.refused.milliseconds),
        "refusals without Retry-After": str(load.without_retry_after),
        "wrong answers; other statuses or broken connections; no answer": f"{load.wrong}; {load.other}; {load.hung}",
        "memory before, after": f"{overload.before_mb:.0f}, {overload.after_mb:.0f} MB",
    }


def _three(milliseconds: dict[float, float]) -> str:
    return ", ".join(f"{milliseconds[share]:,.1f}" for share in (50.0, 99.0, 100.0)) + " ms" if milliseconds else ""


def _faults(results: ServingResults) -> str:
    lines = [
        f"- {results.labels[server]}: {count} requests got an error, or no answer within two seconds."
        for server, count in results.faults().items()
    ]
    lines += [f"- {server} {_unavailable(reason)}" for server, reason in results.unavailable.items()]
    return "\n".join(lines) or "None: all servers took part, and all responses in the closed loops had status 200."


def _unavailable(reason: str) -> str:
    """Quote the beginning of the reason: it can be a long response of a server."""
    return f"could not be measured. The error was `{shorten(reason, _REASON_CHARACTERS, placeholder=' ...')}`"


def _training(results: TrainingResults) -> str:
    programs = ("training", "training-augmented", "keras", "pytorch")
    rows = [
        (program, *(_spread(list(results.steps_of(model, program).values())) for model in results.steps))
        for program in programs
        if any(results.steps_of(model, program) for model in results.steps)
    ]
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    steps = " or ".join(f"{count} steps of {model}" for model, count in results.steps.items())
    method = (
        f"{versions}. The programs were measured alternately in {results.rounds} rounds of {results.stretches} "
        f"stretches each. A stretch has {steps}. The time of a round is the median of its stretches."
    )
    reasons = "\n".join(f"- {name} {_unavailable(reason)}" for name, reason in results.unavailable.items())
    return "\n\n".join(
        [
            _machine(results.machine),
            method,
            _table(("microseconds a step", *results.steps), rows),
            reasons,
        ]
    ).strip()


def _server_parts(results: ServerPartsResults) -> str:
    loads = list(next(iter(results.shares.values())))
    rows = [(part, *(_spread(shares[load]) for load in loads)) for part, shares in results.shares.items()]
    method = (
        f"The median (and the least and the greatest) of {results.rounds} rounds, in each of which every variant was "
        f"measured for {results.seconds} s, in random order."
    )
    return f"{_machine(results.machine)}\n\n{_table(('without', *loads), rows)}\n\n{method}"


def _stages(results: StagesResults) -> str:
    names = list(dict.fromkeys(stage for stages in results.microseconds.values() for stage in stages))
    rows = [
        (stage, *(_spread(stages[stage]) if stage in stages else "" for stages in results.microseconds.values()))
        for stage in names
    ]
    method = f"The stages were measured alternately in {results.rounds} rounds, with {results.repeats} runs of each."
    return "\n\n".join([_machine(results.machine), method, _table(("microseconds", *results.microseconds), rows)])


def _spread(values: Sequence[float], unit: str = "") -> str:
    """Format the median and, for several values, the lowest and the highest."""
    if not values:
        return ""
    text = _short(float(np.median(values))) + (f" {unit}" if unit else "")
    return f"{text} ({_short(min(values))} to {_short(max(values))})" if len(values) > 1 else text


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
