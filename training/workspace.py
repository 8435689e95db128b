"""The folders that training writes into, and its lock and its checkpoints in a hidden one. Knows only paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import AlreadyRunning, FolderError

FOLDER = ".training"


def checkpoint_path(models: Path, name: str) -> Path:
    """Give the file in which a run of the model of that name keeps how far it has come."""
    return models / FOLDER / f"{name}.npz"


def make_folder(folder: Path) -> None:
    """Have a folder that can be written into, or raise FolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be made a folder: {error.strerror}. Name one that can be written into."
        raise FolderError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} cannot be written into. Change its permissions, or name another folder."
        raise FolderError(msg)


@contextmanager
def only_run(models: Path) -> Iterator[None]:
    """Be the only training run that publishes into a folder of models, or raise AlreadyRunning.

    The lock goes with the process that holds it, however that ends. Raises FolderError if nothing can be written there.
    """
    folder = models / FOLDER
    make_folder(folder)
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
