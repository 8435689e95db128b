"""The store of corrections that a service collects, read as `docs/feedback.md` has it. Knows nothing of its writer."""

import hashlib
import json
from typing import Any

import fsspec
import numpy as np
from fsspec.core import url_to_fs

from imaging import PictureError, decode
from training.data import NOT_A_DIGIT, LabelledImage
from training.errors import DataError

MARKER = "feedback.json"
FORMAT = 1
LABELS = {**{str(digit): digit for digit in range(10)}, "not_a_digit": NOT_A_DIGIT}


def is_store(address: str) -> bool:
    """Tell whether an address, a folder's path or any that fsspec knows, is that of a feedback store.

    Raises DataError if it cannot be reached, or if the store is of a later format.
    """
    files, root = _open(address)
    try:
        marker: dict[str, Any] = json.loads(files.cat_file(f"{root}/{MARKER}"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception as error:  # the address decides which library raises what
        msg = f"{address} cannot be read: {error!r}. Expected a feedback store; check the address and the access to it."
        raise DataError(msg) from error
    if marker.get("format") != FORMAT:
        msg = f"{address} is a feedback store of format {marker.get('format')}; expected {FORMAT}."
        raise DataError(msg)
    return True


def read_store(address: str) -> tuple[list[LabelledImage], list[str]]:
    """Read a feedback store; gives its images, and a line on each file that is not as it should be.

    Raises DataError if the store cannot be reached.
    """
    files, root = _open(address)
    try:
        found = {path: label for name, label in LABELS.items() for path in _list(files, f"{root}/{name}")}
        contents = files.cat(list(found), on_error="return") if found else {}
    except Exception as error:  # the address decides which library raises what
        msg = f"{address} cannot be read: {error!r}. Check the address and the access to it."
        raise DataError(msg) from error
    images, faults = [], []
    for path, content in sorted(contents.items()):
        try:
            images.append(_read_entry(path, content, found[path]))
        except (PictureError, DataError) as error:
            faults.append(f"{path} is passed over: {error}")
    return images, faults


def _open(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        files, root = url_to_fs(address)
    except (ImportError, ValueError) as error:  # a library that is not installed, or a protocol that nobody knows
        msg = f"{address} cannot be opened: {error}. Expected a folder, or an address that fsspec knows."
        raise DataError(msg) from error
    return files, root.rstrip("/")


def _list(files: fsspec.AbstractFileSystem, folder: str) -> list[str]:
    """List the files of a folder but the hidden ones, which may be half-written; there need be no such folder."""
    try:
        paths = files.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    return [path for path in paths if not path.rstrip("/").rpartition("/")[2].startswith(".")]


def _read_entry(path: str, content: bytes | Exception, label: int) -> LabelledImage:
    """Read an image that is named by its own digest, so that what is not whole is noticed."""
    if isinstance(content, Exception):
        msg = f"it cannot be read, {content!r}."
        raise DataError(msg) from content
    image = decode(content)
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    if image.shape != (28, 28) or path.rpartition("/")[2] != f"{digest}.png":
        msg = "it is not the image that its name says. Delete it."
        raise DataError(msg)
    return LabelledImage(path, np.asarray(image, np.uint8), label)
