"""The store of corrections, in the format of `docs/feedback.md`. Knows no predictions and no training."""

import asyncio
import errno
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from app.deadline import Deadline
from app.errors import StoreFull, StoreUnavailable
from imaging import encode_png

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CORRECTION_LABELS = (*map(str, range(10)), "not_a_digit")

_MARKER = "feedback.json"
_FORMAT = {"format": 1}
_RECOUNT_SECONDS = 60.0
_RECOUNT_FULL_SECONDS = 1.0

_log = structlog.get_logger()


def check_folder(address: str) -> None:
    """Create the folder of a store, and write a file to it. Does nothing if the store is remote.

    Raises:
        OSError: if the folder cannot be created or written.

    """
    from fsspec.core import url_to_fs  # noqa: PLC0415 - as below
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415

    files, root = url_to_fs(address)
    if isinstance(files, LocalFileSystem):
        Path(root).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass


class FeedbackStore:
    """Writes corrections one after the other, in a thread of its own, because the store may be a remote bucket.

    The images are counted every minute, so several workers together can exceed the limit within a minute.
    """

    def __init__(
        self,
        address: str,
        *,
        limit: int,
        deadline_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - takes a megabyte, which workers without a store save
        from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415

        files, root = url_to_fs(address, use_listings_cache=False)
        self._files: AbstractFileSystem = files
        self._is_local = isinstance(files, LocalFileSystem)
        self._root = root.rstrip("/")
        self._limit = limit
        self._deadline = Deadline(deadline_seconds)
        self._clock = clock
        self._is_format_checked = False
        self._images = 0
        self._counted_at = -float("inf")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")

    async def add(self, image: NDArray[np.uint8], label: str) -> bool:
        """Store an image, uint8 (28, 28), under one of CORRECTION_LABELS, and remove it from any other label.

        Returns:
            Whether the image is new under this label.

        Raises:
            StoreFull: if the store has reached its limit, or its disk is full.
            StoreUnavailable: if it cannot be written to.
            DeadlineExceeded: if that takes too long; the correction may be stored nevertheless.

        """
        with self._deadline.enforced():
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._try_to_add, image, label)

    def _try_to_add(self, image: NDArray[np.uint8], label: str) -> bool:
        try:
            return self._add(image, label)
        except (StoreFull, StoreUnavailable):
            raise
        except Exception as error:  # the kind of store decides which library raises which errors
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                message = "The disk of the feedback store is full: no space is left. The correction was not stored."
                raise StoreFull(message) from error
            _log.exception("feedback failed", store=self._root)
            message = "The correction could not be stored; the log of the service says why. Try again later."
            raise StoreUnavailable(message) from error

    def _add(self, image: NDArray[np.uint8], label: str) -> bool:
        self._check_format()
        name = f"{hashlib.sha256(image.tobytes()).hexdigest()}.png"
        path = f"{self._root}/{label}/{name}"
        if self._files.exists(path):
            return False
        if self._is_full() and not self._other_labels(label, name):
            message = f"{self._limit:,} corrections are stored, the limit of the store. This one was not."
            raise StoreFull(message)
        self._write(path, encode_png(image))
        self._images += 1
        for other in self._other_labels(label, name):
            with suppress(FileNotFoundError):  # another worker has removed it
                self._files.rm_file(other)
                self._images -= 1
        return True

    def _other_labels(self, label: str, name: str) -> list[str]:
        """Return the paths of an image under other labels.

        Checks each path, because a bucket reports no error when a missing file is removed.
        """
        paths = [f"{self._root}/{other}/{name}" for other in CORRECTION_LABELS if other != label]
        return [path for path in paths if self._files.exists(path)]

    def _check_format(self) -> None:
        """Check that the store has this format; write the marker file if the store is new."""
        if self._is_format_checked:
            return
        path = f"{self._root}/{_MARKER}"
        try:
            found = json.loads(self._files.cat_file(path))
        except FileNotFoundError:
            self._write(path, json.dumps(_FORMAT).encode())
        else:
            if found != _FORMAT:
                message = f"The store has the format {found}, expected {_FORMAT}. Set FEEDBACK_DIR to another folder."
                raise StoreUnavailable(message)
        self._is_format_checked = True

    def _is_full(self) -> bool:
        full = self._images >= self._limit
        if self._clock() - self._counted_at > (_RECOUNT_FULL_SECONDS if full else _RECOUNT_SECONDS):
            self._images = sum(map(self._count, CORRECTION_LABELS))
            self._counted_at = self._clock()
        return self._images >= self._limit

    def _count(self, label: str) -> int:
        try:
            return len(self._files.ls(f"{self._root}/{label}", detail=False))
        except FileNotFoundError:
            return 0

    def _write(self, path: str, content: bytes) -> None:
        """Write a file atomically."""
        if self._is_local:
            _write_file(Path(path), content)
        else:
            self._files.pipe_file(path, content)  # writing an object to a bucket is atomic

    async def close(self) -> None:
        """Finish the current correction, and stop the thread."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _write_file(path: Path, content: bytes) -> None:
    """Write a hidden file, flush it to disk and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
