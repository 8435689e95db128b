"""Commands to load or unload a model, shared by all workers through a folder. Knows no models and loads nothing.

The folder has one small file for each model that was loaded or unloaded by a request. Each worker reads the folder with
every scan for new versions, and when the worker that issued a command asks for it. Commands are valid until the service
stops.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from app.model_repository.workers import WorkerGroup

Action = Literal["load", "unload"]

_CONTROL_DIR = "DIGITSERVE_CONTROL_DIR"  # set by the supervisor for its workers


@dataclass(frozen=True)
class Command:
    """The latest command for one model."""

    action: Action
    issued_ns: int  # in nanoseconds since 1970; tells apart two commands with the same action


class ModelControl:
    """Issues commands to all workers, and reads them, through a folder."""

    def __init__(self, folder: Path, workers: WorkerGroup | None = None) -> None:
        """Take the folder, and the workers that share it if there are several."""
        self._folder = folder
        self._workers = workers

    def issue(self, name: str, action: Action) -> None:
        """Tell every worker to load or to unload the model `name`."""
        # Renamed into place, so that no worker reads half a file.
        with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix=".", delete=False) as file:
            file.write(action)
        Path(file.name).replace(self._folder / quote(name, safe=""))

    def read_commands(self) -> dict[str, Command]:
        """Return the latest command for each model that has one."""
        commands = {}
        for path in self._folder.iterdir():
            if not path.name.startswith("."):
                action: Action = "unload" if path.read_text() == "unload" else "load"
                commands[unquote(path.name)] = Command(action, path.stat().st_mtime_ns)
        return commands

    async def ask_other_workers(self, name: str) -> list[str]:
        """Wait until the other workers have carried out the latest commands; return why they cannot load the model."""
        return [] if self._workers is None else await self._workers.ask_others(name)


@contextmanager
def control_folder() -> Iterator[Path]:
    """Yield the folder that the supervisor made for its workers, or a temporary one if there is no supervisor."""
    if shared := os.environ.get(_CONTROL_DIR):
        yield Path(shared)
        return
    with tempfile.TemporaryDirectory(prefix="digitserve-control-") as folder:
        yield Path(folder)
