"""The hidden folder in which training works beside the artefacts: its lock and its checkpoints. Knows only paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import AlreadyRunning

FOLDER = ".training"


def checkpoint_path(models: Path, name: str) -> Path:
    """Give the file in which a run of the model of that name keeps how far it has come."""
    return models / FOLDER / f"{name}.npz"


@contextmanager
def only_run(models: Path) -> Iterator[None]:
    """Be the only training run that publishes into a folder of models, or raise AlreadyRunning.

    The lock goes with the process that holds it, however that ends.
    """
    folder = models / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / "pid"
    try:
        with FileLock(folder / "lock", blocking=False):
            owner.write_text(f"{os.getpid()}\n")
            yield
    except Timeout as error:
        msg = (
            f"Another training run is at work in {models} (process {owner.read_text().strip()}). "
            "Nothing was done. Wait for its end, or stop it."
        )
        raise AlreadyRunning(msg) from error
