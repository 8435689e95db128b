"""Makes sure that a folder can be written to. Knows nothing of what is written there."""

import os
from pathlib import Path

from training.errors import FolderError


def ensure_writable_folder(folder: Path) -> None:
    """Create a folder if it does not exist. Raises FolderError if it cannot be created or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be created: {error.strerror}. Choose a folder that can be written to."
        raise FolderError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} cannot be written to. Change its permissions, or choose another folder."
        raise FolderError(msg)
