"""Loads the corrections that a service has collected, in the format of `docs/feedback.md`."""

import hashlib
import json
from typing import Any

import fsspec
import numpy as np
from fsspec.core import url_to_fs

from imaging import PictureError, decode
from training.data.examples import NOT_A_DIGIT, LabelledImage
from training.errors import DataError

MARKER = "feedback.json"
FORMAT = 1
LABEL_OF_FOLDER = {**{str(digit): digit for digit in range(10)}, "not_a_digit": NOT_A_DIGIT}


def is_feedback_store(location: str) -> bool:
    """Return whether a path or an fsspec URL is the location of a feedback store.

    Raises DataError if the location cannot be reached, or if the format of the store is not supported.
    """
    files, root = _open(location)
    try:
        marker: dict[str, Any] = json.loads(files.cat_file(f"{root}/{MARKER}"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception as error:  # each fsspec file system has its own exceptions
        msg = f"{location} cannot be read: {error!r}. Expected a feedback store. Check the location and the access."
        raise DataError(msg) from error
    if marker.get("format") != FORMAT:
        msg = f"{location} is a feedback store of format {marker.get('format')}; expected {FORMAT}."
        raise DataError(msg)
    return True


def load_feedback(location: str) -> tuple[list[LabelledImage], list[str]]:
    """Load the images of a feedback store. Return them, and a warning for each invalid file.

    Raises DataError if the store cannot be reached.
    """
    files, root = _open(location)
    try:
        labels = {path: label for name, label in LABEL_OF_FOLDER.items() for path in _list(files, f"{root}/{name}")}
        contents = files.cat(list(labels), on_error="return") if labels else {}
    except Exception as error:  # each fsspec file system has its own exceptions
        msg = f"{location} cannot be read: {error!r}. Check the location and its permissions."
        raise DataError(msg) from error
    images, warnings = [], []
    for path, content in sorted(contents.items()):
        try:
            images.append(_load_image(path, content, labels[path]))
        except (PictureError, DataError) as error:
            warnings.append(f"{path} is skipped: {error}")
    return images, warnings


def _open(location: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        files, root = url_to_fs(location)
    except (ImportError, ValueError) as error:  # a missing library, or an unknown protocol
        msg = f"{location} cannot be opened: {error}. Expected a folder, or a URL that fsspec supports."
        raise DataError(msg) from error
    return files, root.rstrip("/")


def _list(files: fsspec.AbstractFileSystem, folder: str) -> list[str]:
    """List the files of a folder, without hidden files, which may be incomplete. A missing folder has no files."""
    try:
        paths = files.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    return [path for path in paths if not path.rstrip("/").rpartition("/")[2].startswith(".")]


def _load_image(path: str, content: bytes | Exception, label: int) -> LabelledImage:
    """Decode an image and compare its digest with the file name, so that damaged files are detected."""
    if isinstance(content, Exception):
        msg = f"it cannot be read, {content!r}."
        raise DataError(msg) from content
    image = decode(content)
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    if image.shape != (28, 28) or path.rpartition("/")[2] != f"{digest}.png":
        msg = "its name is not the digest of the image. Delete it."
        raise DataError(msg)
    return LabelledImage(path, np.asarray(image, np.uint8), label)
