"""What one worker was asked to load or unload, for all workers to do. Knows neither models nor how they are loaded.

The workers share a folder with one small file for each model that was ever loaded or unloaded by hand; each looks there
whenever it looks for new versions. An order lasts as long as the service runs.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

Action = Literal["load", "unload"]

_CONTROL_DIR = "DIGITSERVE_CONTROL_DIR"  # set by `__main__` for its workers


@dataclass(frozen=True)
class Command:
    """The last that was asked for one model."""

    wish: Action
    given: int  # when, in nanoseconds: two orders for the same thing differ in it


class ModelControl:
    """The folder that the workers share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def give(self, name: str, wish: Action) -> None:
        """Ask every worker to load or to unload the model of that name."""
        # Renamed into place: whoever reads it finds the whole of it.
        with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix=".", delete=False) as file:
            file.write(wish)
        Path(file.name).replace(self._folder / quote(name, safe=""))

    def read(self) -> dict[str, Command]:
        """Read the last order for each model for which there is one."""
        control = {}
        for path in self._folder.iterdir():
            if not path.name.startswith("."):
                wish: Action = "unload" if path.read_text() == "unload" else "load"
                control[unquote(path.name)] = Command(wish, path.stat().st_mtime_ns)
        return control


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Give the folder that `__main__` made for its workers, or else one that lasts as long as the context."""
    if shared := os.environ.get(_CONTROL_DIR):
        yield Path(shared)
        return
    with tempfile.TemporaryDirectory(prefix="digitserve-control-") as folder:
        yield Path(folder)
