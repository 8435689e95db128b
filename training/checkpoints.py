"""What a run has reached, kept on disk so that a killed run can go on. Knows arrays and a file, no network.

A checkpoint is one file, replaced whole or not at all, and good only for a run of the same fingerprint.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from training.config import TrainingConfig
from training.data import Examples

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    iteration: int
    """How many are done."""
    arrays: Arrays
    """The variables of the network, then of the optimiser."""
    history: Sequence[dict[str, Any]]
    """The training curves so far, as `model.json` has them."""


@dataclass(frozen=True)
class Checkpoint:
    """The place where one run keeps its progress."""

    path: Path
    fingerprint: str
    """Of what tells this run from others: see `fingerprint`."""

    def save(self, progress: Progress) -> None:
        """Replace what is kept; whoever is killed meanwhile leaves what was there before."""
        about = {"fingerprint": self.fingerprint, "iteration": progress.iteration, "history": list(progress.history)}
        arrays = {str(index): array for index, array in enumerate(progress.arrays)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, about=json.dumps(about), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def load(self) -> Progress | None:
        """Give what is kept, or None if there is nothing, or nothing of a run like this one."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                about = json.loads(str(kept["about"]))
                arrays = [kept[str(index)] for index in range(len(kept.files) - 1)]
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):  # not there or not whole: begin at the beginning
            return None
        if about["fingerprint"] != self.fingerprint:
            return None
        return Progress(about["iteration"], arrays, about["history"])


def fingerprint(
    config: TrainingConfig, examples: Examples, made_with: dict[str, str], shapes: Sequence[Sequence[int]]
) -> str:
    """Give a digest of what tells one run from another: configuration, what is learnt from, what with, and what learns.

    What it learns with are the versions of the software, and the digests of the teacher's files, if there is one; what
    learns is known by the shapes of its variables. Another recipe in the code itself is not noticed.
    """
    digest = hashlib.sha256(json.dumps([config.as_json(), made_with, shapes], sort_keys=True).encode())
    digest.update(examples.images.tobytes())
    digest.update(examples.labels.tobytes())
    return digest.hexdigest()
