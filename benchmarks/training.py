"""Compare the training programs: `python -m benchmarks.training` measures them and writes docs/benchmarks.md."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import report
from benchmarks.environments import PEERS, ROOT, PeerUnavailableError, pinned_version, prepare
from benchmarks.machine import Machine, installed_version
from benchmarks.processes import unwind_when_terminated
from benchmarks.results import FOLDER, TrainingMeasurement, TrainingResults
from training.data.mnist import Mnist, load_mnist
from training.registry import find_classifier

BATCH_SIZE = 100
"""For all models, so that their figures can be compared."""
STEPS = {"softmax": 500, "convnet": 100}
"""The number of steps in a stretch, for which one time is measured."""

_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Program:
    """A program that trains a specified model, and prints the microseconds of a step in each stretch."""

    name: str
    command: tuple[str, ...]
    augmented: bool = False


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often each program has its turn.")] = 5,
    stretches: Annotated[int, typer.Option(min=1, help="How many stretches of steps a turn has.")] = 5,
    quick: Annotated[bool, typer.Option(help="One round of two stretches, to see that all of it works.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results and the plots; the page goes beside it.")] = FOLDER,
) -> None:
    """Time this project's training loop, Keras and PyTorch on the same networks, and write docs/benchmarks.md."""
    unwind_when_terminated()
    if quick:
        rounds, stretches = 1, 2
    folder = os.environ.get("MNIST_DIR")
    results = run(load_mnist(Path(folder) if folder else None), rounds, stretches)
    results.save(out)
    report.write(out.with_suffix(".md"), out)


def run(mnist: Mnist, rounds: int, stretches: int) -> TrainingResults:
    """Run every program with every model in every round."""
    results = TrainingResults(
        machine=Machine.here(),
        rounds=rounds,
        stretches=stretches,
        steps={**STEPS},
        versions={
            "TensorFlow": installed_version("tensorflow"),
            "Keras": installed_version("keras"),
            "PyTorch": pinned_version("pytorch", "torch"),
        },
        unavailable={},
    )
    programs = _choose_programs(results)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, images=mnist.train.images, labels=mnist.train.labels)
        for number in range(rounds):
            for model in STEPS:
                for program in programs:
                    if program.augmented and not find_classifier(model).default_recipe.augmentation:
                        continue
                    spec = {**specification(model), "stretches": stretches, "augmented": program.augmented}
                    times = _run(program, {**spec, "data": str(data)}, Path(folder) / "spec.json")
                    print(
                        f"Round {number + 1}: {model} by {program.name}: {np.median(times):.0f} us a step", flush=True
                    )
                    results.measurements.append(
                        TrainingMeasurement(model=model, program=program.name, round=number, microseconds=times)
                    )
    return results


def specification(model: str) -> dict[str, Any]:
    """Return the specification of a model, which is the same for every program."""
    config = find_classifier(model).default_recipe
    return {
        "model": model,
        "batch_size": BATCH_SIZE,
        "optimizer": config.optimizer,
        "learning_rate": config.learning_rate,
        "convolutions": [asdict(shape) for shape in config.convolutions],
        "steps": STEPS[model],
    }


def _choose_programs(results: TrainingResults) -> list[Program]:
    """Return the programs, installed. Store the reason for each program that cannot be installed."""
    ours = (sys.executable, "-m", "benchmarks.training_loop")
    programs = [
        Program("training", ours),
        Program("training-augmented", ours, augmented=True),
        Program("keras", (sys.executable, str(PEERS / "keras" / "train.py"))),
    ]
    try:
        python = prepare("pytorch") / "python"
        programs.append(Program("pytorch", (str(python), str(PEERS / "pytorch" / "train.py"))))
    except PeerUnavailableError as error:
        print(f"PyTorch is left out: {error}", flush=True)
        results.unavailable["pytorch"] = str(error).splitlines()[0]
    return programs


def _run(program: Program, spec: dict[str, Any], file: Path) -> list[float]:
    file.write_text(json.dumps(spec))
    outcome = subprocess.run(  # noqa: S603 - the commands are those above
        [*program.command, str(file)], cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    if outcome.returncode:
        message = f"{program.name} failed: {outcome.stderr[-2000:]}"
        raise RuntimeError(message)
    times: list[float] = json.loads(outcome.stdout.splitlines()[-1])
    return times


if __name__ == "__main__":
    typer.run(main)
