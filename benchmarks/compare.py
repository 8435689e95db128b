"""Compare the speed of two commits: `python -m benchmarks.compare BEFORE AFTER`. Each has a worktree of its own.

Both are measured with the benchmarks of the current working tree, so the method is the same.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.environments import CACHE, ROOT, make_cache
from benchmarks.processes import unwind_when_terminated

DEFAULT = "benchmarks.stages --json --rounds 5"

Figures = Mapping[str, Sequence[float]]


def main(
    before: Annotated[str, typer.Argument(help="A commit.")],
    after: Annotated[str, typer.Argument(help="Another.")] = "HEAD",
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turn.")] = 5,
    module: Annotated[
        str, typer.Option(help="A module and its options, which prints one line of JSON at the end: names and numbers.")
    ] = DEFAULT,
) -> None:
    """Run the same benchmark on two commits alternately, and print the differences."""
    unwind_when_terminated()
    with worktree(before) as first, worktree(after) as second:
        found: tuple[dict[str, list[float]], dict[str, list[float]]] = defaultdict(list), defaultdict(list)
        for number in range(rounds):
            print(f"Round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for folder, figures in zip((first, second), found, strict=True):
                for name, value in run(folder, module).items():
                    figures[name].append(value)
    print(table(*found))


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary worktree, with the benchmarks of the current working tree."""
    make_cache()
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}")
    folder = CACHE / "commits" / f"{name}-{os.getpid()}"
    while folder.exists():  # both arguments may name the same commit
        folder = folder.with_name(folder.name + "-again")
    _git("worktree", "add", "--detach", str(folder), commit)
    try:
        shutil.rmtree(folder / "benchmarks", ignore_errors=True)
        shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def run(folder: Path, module: str) -> dict[str, float]:
    """Run a module in a folder, and parse the last line of its output."""
    command = [sys.executable, "-m", *module.split()]
    printed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


def table(before: Figures, after: Figures) -> str:
    """Return a table of the medians and their ratio, with the lowest and the highest value in brackets."""
    width = max(map(len, before))
    lines = [f"{'':{width}}  {'before':>28}  {'after':>28}  after / before"]
    for name in before:
        if name in after:
            ratio = np.median(after[name]) / np.median(before[name])
            lines.append(f"{name:{width}}  {_spread(before[name]):>28}  {_spread(after[name]):>28}  {ratio:.2f}")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if outcome.returncode:
        raise typer.BadParameter(outcome.stderr.strip())
    return outcome.stdout.strip()


if __name__ == "__main__":
    typer.run(main)
