"""The folders that training writes to, with the lock and the checkpoints inside them. Knows only paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import AlreadyRunning
from training.folders import ensure_writable_folder

WORKSPACE = ".training"


def checkpoint_path(models: Path, name: str) -> Path:
    """Return the path of the checkpoint for runs of the model with this name."""
    return models / WORKSPACE / f"{name}.npz"


@contextmanager
def training_lock(models: Path) -> Iterator[None]:
    """Hold the lock on a folder of models, so that only one run at a time publishes into it.

    The operating system releases the lock when the process ends. Raises AlreadyRunning if another run holds the lock,
    and FolderError if the folder cannot be written to.
    """
    folder = models / WORKSPACE
    ensure_writable_folder(folder)
    owner = folder / "pid"
    try:
        with FileLock(folder / "lock", blocking=False):
            owner.write_text(f"{os.getpid()}\n")
            yield
    except Timeout as error:
        msg = (
            f"Another training run uses {models} (process {owner.read_text().strip()}). Nothing was changed. "
            "Wait until it ends, or stop it."
        )
        raise AlreadyRunning(msg) from error
