"""Imports TensorFlow without its messages on the standard error."""

import importlib
import os
from pathlib import Path


def import_tensorflow() -> None:
    """Import TensorFlow without its messages about the processor and the GPU.

    TensorFlow's C++ code writes them to file descriptor 2, so redirecting `sys.stderr` would not be enough.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
