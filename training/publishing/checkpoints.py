"""Saves the progress of a run to a file, so that an interrupted run can continue. Knows no network, only its arrays.

The file is replaced atomically. It contains the fingerprint of its run, and no other run loads it.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np

from training.data.examples import Examples
from training.progress import HistoryPoint, Progress


class Recipe(Protocol):
    """The settings of a run."""

    def as_json(self) -> dict[str, Any]:
        """Return all settings as JSON values."""


@dataclass(frozen=True)
class Checkpoint:
    """The file in which a run saves its progress."""

    path: Path
    fingerprint: str
    """The fingerprint of the run, from the function `fingerprint`."""

    def save(self, progress: Progress) -> None:
        """Replace the file. If the process is killed meanwhile, the previous file remains."""
        history = [asdict(point) for point in progress.history]
        about = {"fingerprint": self.fingerprint, "iteration": progress.iteration, "history": history}
        arrays = {str(index): array for index, array in enumerate(progress.arrays)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, about=json.dumps(about), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def load(self) -> Progress | None:
        """Return the saved progress, or None if the file is missing, damaged or that of another run."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                arrays = [saved[str(index)] for index in range(len(saved.files) - 1)]
            history = [HistoryPoint(**point) for point in about["history"]]
        # Missing, damaged or written by another version of this program: start from the beginning.
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
            return None
        if about["fingerprint"] != self.fingerprint:
            return None
        return Progress(about["iteration"], arrays, history)


def fingerprint(
    recipe: Recipe, examples: Examples, dependencies: dict[str, str], shapes: Sequence[Sequence[int]]
) -> str:
    """Return a digest that identifies a run. It does not cover the code of the training program.

    Args:
        recipe: The recipe of the run.
        examples: The training images.
        dependencies: The versions of the software and, with a teacher, the digests of its files.
        shapes: The shapes of the variables of the network.

    """
    digest = hashlib.sha256(json.dumps([recipe.as_json(), dependencies, shapes], sort_keys=True).encode())
    digest.update(examples.images.tobytes())
    digest.update(examples.labels.tobytes())
    return digest.hexdigest()
