"""Compare the servers: `python -m benchmarks.serving` measures them in turn and writes docs/benchmarks.md."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import payloads, report, servers
from benchmarks.closed_loop import MissingToolError, require_wrk
from benchmarks.environments import ROOT, PeerUnavailableError, pinned_version
from benchmarks.machine import Machine
from benchmarks.processes import unwind_when_terminated
from benchmarks.results import FOLDER, Overload, ServingResults
from benchmarks.scenarios import PictureName, measure, measure_start, overload
from benchmarks.servers import PEER_SERVERS, Server
from benchmarks.turn import Picture, Reference, WrongAnswerError, take_turn

OVERLOADS: tuple[PictureName, ...] = ("photo", "digit")


@dataclass(frozen=True)
class Plan:
    """The number and duration of the measurements."""

    rounds: int
    seconds: int
    overload_seconds: int


QUICK = Plan(rounds=1, seconds=1, overload_seconds=3)


def main(  # noqa: PLR0913 - each is an option of the command line
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    rounds: Annotated[int, typer.Option(min=1, help="How often each server has its turn.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="How long each figure is measured in a turn.")] = 4,
    overload_seconds: Annotated[int, typer.Option(min=0, help="How long each overload lasts; 0 for none.")] = 60,
    only: Annotated[list[str] | None, typer.Option(help="Only this server; may be given again.")] = None,
    quick: Annotated[bool, typer.Option(help="One round of a second each, to see that all of it works.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results and the plots; the page goes beside it.")] = FOLDER,
) -> None:
    """Start each server in turn, measure it, check its answers, and write docs/benchmarks.md."""
    unwind_when_terminated()
    plan = QUICK if quick else Plan(rounds, seconds, overload_seconds)
    try:
        results = run(models, plan, only or [])
    except (MissingToolError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error
    results.save(out)
    report.write(out.with_suffix(".md"), out)


def run(models: Path, plan: Plan, only: list[str]) -> ServingResults:
    """Measure the chosen servers."""
    saved_model = newest_version(models / "convnet")
    reference = Reference(saved_model)
    pictures: dict[PictureName, Picture] = {
        "digit": reference.predict(payloads.digit_png()),
        "drawing": reference.predict(payloads.drawing_png()),
    }
    card = json.loads((saved_model / "model.json").read_text())
    results = ServingResults(
        machine=Machine.here(),
        wrk=require_wrk(),
        tensorflow=pinned_version("fastapi_tensorflow", "tensorflow"),
        model=f"convnet ({card['architecture']}), {card['multiply_adds']:,} multiply-adds an image",
        picture_bytes={name: len(picture.data) for name, picture in pictures.items()},
        rounds=plan.rounds,
        seconds=plan.seconds,
        labels={},
        unavailable={},
    )
    compared = choose_servers(models, saved_model, only, results)
    for number in range(plan.rounds):
        for server in list(compared):
            print(f"Round {number + 1} of {plan.rounds}: {server.label}", flush=True)
            try:
                _take_turn(server, pictures, number, plan, results)
            except (PeerUnavailableError, WrongAnswerError) as error:
                _leave_out(server.label, error, results)
                compared.remove(server)
    if plan.overload_seconds:
        pictures["photo"] = reference.predict(payloads.photo_jpeg())
        results.overloads = [
            _overload(server, name, pictures, plan)
            for server in compared
            if server.name == "digitserve"
            for name in OVERLOADS
        ]
    return results


def newest_version(model: Path) -> Path:
    """Return the folder of a model's newest version. Raises FileNotFoundError if it has none."""
    versions = [path for path in model.glob("*") if path.name.isdecimal()]
    if not versions:
        message = (
            f"{model} contains no version of the model. Train one (make train), or name another folder (--models)."
        )
        raise FileNotFoundError(message)
    return max(versions, key=lambda path: int(path.name))


def choose_servers(models: Path, saved_model: Path, only: list[str], results: ServingResults) -> list[Server]:
    """Return the chosen servers in order, installed. Store the reason for each server that cannot be installed."""
    compared = [servers.do_nothing(), servers.digitserve(models)]
    compared += [
        servers.digitserve_with_log(models),
        servers.digitserve_in_bfloat16(models),
        servers.digitserve_one_worker(models),
    ]
    for name, build in PEER_SERVERS.items():
        if not only or name in only:
            try:
                compared.append(build(saved_model))
            except PeerUnavailableError as error:
                _leave_out(name, error, results)
    chosen = [server for server in compared if not only or server.name in only]
    results.labels = {server.name: server.label for server in chosen}
    return chosen


def _leave_out(name: str, error: Exception, results: ServingResults) -> None:
    print(f"{name} is left out: {error}", flush=True)
    # Short enough for the page, and without the path of the project on this machine.
    results.unavailable[name] = textwrap.shorten(str(error).splitlines()[0].replace(f"{ROOT}/", ""), 500)


def _take_turn(
    server: Server, pictures: dict[PictureName, Picture], number: int, plan: Plan, results: ServingResults
) -> None:
    with take_turn(server, pictures["digit"]) as turn:
        results.measurements += measure(turn, pictures, number=number, seconds=plan.seconds)
        results.starts.append(measure_start(turn, number=number))


def _overload(server: Server, name: PictureName, pictures: dict[PictureName, Picture], plan: Plan) -> Overload:
    print(f"Overload by the {name}", flush=True)
    with take_turn(server, pictures["digit"]) as turn:
        return overload(
            turn, name, pictures[name], seconds=plan.overload_seconds, capacity_seconds=max(2, plan.seconds)
        )


if __name__ == "__main__":
    typer.run(main)
