"""Imports TensorFlow without the notes that it writes. Knows nothing of what it is imported for."""

import importlib
import os
from pathlib import Path


def import_tensorflow() -> None:
    """Import TensorFlow without the notes on processor and GPU that it writes, past Python, to the standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
