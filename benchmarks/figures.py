"""Draw plots of the results. Knows no bars."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Overload, ServingResults, median
from benchmarks.scenarios import CONNECTIONS
from benchmarks.servers import OPENVINO, PEER_SERVERS, WITH_TENSORFLOW

_SERVERS = ("do-nothing", "digitserve", *PEER_SERVERS)
_PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
_COLOURS = {
    "do-nothing": "grey",
    "digitserve": "black",
    "fastapi_openvino": "tab:orange",
    "fastapi_tensorflow": "tab:purple",
    "litserve": "tab:green",
    "bentoml": "tab:brown",
    "mlserver": "tab:red",
    "ray": "tab:blue",
}
"""Of each server, with either engine."""


def draw_serving(results: ServingResults, folder: Path) -> list[str]:
    """Draw all plots of serving into `folder`, and return the names of the files."""
    figures = {"rates.png": _rates(results), "latencies.png": _latencies(results)}
    if results.overloads:
        figures["overload.png"] = _overloads(results.overloads)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=120)
    return list(figures)


def _rates(results: ServingResults) -> Figure:
    """Draw the rate against the number of connections, each server with its fastest shape of request."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    for server in _present(results):
        points = [
            (connections, median(results.rates(server, best)))
            for connections in CONNECTIONS
            if (best := results.fastest(server, "digit", connections))
        ]
        _line(axes, results, server, points)
    axes.set(xscale="log", yscale="log", xlabel="connections", ylabel="answers a second")
    axes.set_title("One 28x28 PNG a request, two workers each")
    axes.set_xticks(CONNECTIONS, map(str, CONNECTIONS), minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _latencies(results: ServingResults) -> Figure:
    """Draw the latency at each percentile, for the smallest and the largest number of connections."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    ends = (CONNECTIONS[0], CONNECTIONS[-1])
    for axes, connections in zip(figure.subplots(1, 2), ends, strict=True):
        for server in _present(results):
            best = results.fastest(server, "digit", connections)
            if best is not None:
                points = [
                    (index, median(results.latencies(server, best, share))) for index, share in enumerate(_PERCENTILES)
                ]
                _line(axes, results, server, points)
        axes.set(yscale="log", xlabel="percentile", ylabel="latency, ms")
        axes.set_title(f"{connections} connection{'s' if connections > 1 else ''}")
        axes.set_xticks(range(len(_PERCENTILES)), [f"{share:g}" for share in _PERCENTILES])
        axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _overloads(overloads: Sequence[Overload]) -> Figure:
    """Draw the answers in each second, with a panel for each overload."""
    figure = Figure(figsize=(9, 3.2 * len(overloads)), layout="constrained")
    for axes, overload in zip(figure.subplots(len(overloads), squeeze=False)[:, 0], overloads, strict=True):
        seconds = range(overload.seconds)
        good, refused = overload.load.good.each_second, overload.load.refused.each_second
        axes.stackplot(seconds, good, refused, labels=("answered", "refused (503)"), colors=("tab:green", "tab:orange"))
        axes.axhline(overload.best, color="black", linestyle="--", linewidth=1, label="best without overload")
        axes.set(xlabel="second of the run", ylabel="answers a second", xlim=(0, overload.seconds - 1))
        axes.set_title(f"{overload.load.offered:,.0f} requests a second with the {overload.picture} are due")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _present(results: ServingResults) -> list[str]:
    return [server for server in _SERVERS if server in results.labels]


def _line(axes: Axes, results: ServingResults, server: str, points: Sequence[tuple[float, float]]) -> None:
    horizontal, vertical = zip(*points, strict=True)
    width = 2.5 if server == "digitserve" else 1.2
    style = "--" if server == "do-nothing" else ":" if server in WITH_TENSORFLOW else "-"
    colour = _COLOURS[server.removesuffix(OPENVINO)]
    axes.plot(horizontal, vertical, style, marker="o", linewidth=width, color=colour, label=results.labels[server])
