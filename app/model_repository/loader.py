"""Loads versions from disk into verified engines, and frees engines.

`repository.py` decides which versions are loaded, and when. One thread of low priority loads and frees engines, so that
inference goes first. Another thread reads the folder of models, so that a scan does not wait until a version is loaded.
A disk that does not answer blocks these two threads, but neither the event loop nor the end of the process.
"""

import asyncio
import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.errors import BrokenArtefact, NotReady
from app.inference.engines import TOLERANCES, Engine, load_engine
from app.inference.finder_engine import FINDER_TOLERANCES, FinderEngine, load_finder_engine
from app.model_repository.artefact import Fingerprint, copy_verified, printable, read_card, take_fingerprint
from app.model_repository.card import AnyCard, Card, FinderCard
from app.model_repository.daemon_thread import DaemonThread
from app.model_repository.signatures import Signatures, read_signatures
from app.model_repository.verification import verify_finder, warm_up_and_verify
from app.observability.log_setup import native_messages_logged
from app.settings import EngineKind

Result = TypeVar("Result")

READ_SECONDS = 5.0
"""How long a scan of the folder may take. With the published models it takes a millisecond."""
CLOSE_SECONDS = 2.0
"""How long the end of the service waits for the current calls in the two threads."""
_MAX_REASON_LENGTH = 2_000  # in characters

_M_ARENA_MAX = -8  # from glibc's malloc.h

_NICENESS = 10
"""A tenth of the weight of a thread at 0, so that loading makes progress even if the cores are never idle."""


@dataclass(frozen=True)
class VerifiedEngine:
    """A verified engine of a classifier, and the card and the signatures of its version."""

    card: Card
    engine: Engine
    signatures: Signatures


@dataclass(frozen=True)
class VerifiedFinder:
    """A verified engine of a finder, and the card and the signatures of its version."""

    card: FinderCard
    engine: FinderEngine
    signatures: Signatures


@dataclass(frozen=True)
class LoadAttempt:
    """The outcome of loading a version, and the fingerprint of its files."""

    fingerprint: Fingerprint
    outcome: VerifiedEngine | VerifiedFinder | BrokenArtefact


class Loader:
    """Runs the two threads. Its methods are for the event loop."""

    def __init__(self, kind: EngineKind) -> None:
        self._kind = kind
        if sys.platform == "linux":
            _share_one_heap()
        # TensorFlow's own threads, which run its inference, would inherit the low priority of the thread that loads.
        initializer = None if kind == "tensorflow" else _lower_priority
        self._loading = DaemonThread("loader", initializer=initializer)
        self._reading = DaemonThread("models-reader")

    async def run_in_reader_thread(self, function: Callable[[], Result]) -> Result:
        """Call a function that reads the folder of models, in the thread for that.

        Raises:
            NotReady: if the folder cannot be read, or not within READ_SECONDS.

        """
        if self._reading.busy_seconds() > READ_SECONDS:  # otherwise calls would pile up in the queue
            raise _timeout_error()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._reading.run(function)
        except TimeoutError as error:
            raise _timeout_error() from error
        except OSError as error:
            message = (
                f"The folder of models cannot be read: {printable(str(error))}. The loaded versions answer as before."
            )
            raise NotReady(message) from error

    async def load(self, directory: Path) -> LoadAttempt:
        """Load the version in `directory`, or find out why it cannot be served."""
        attempt = await self._loading.run(lambda: _attempt(self._kind, directory))
        await self._loading.run(_return_memory)
        return attempt

    async def free(self, references: list[Any]) -> None:
        """Drop the last references to engines: freeing one takes tens of milliseconds.

        Args:
            references: is empty afterwards.

        """
        await self._loading.run(references.clear)

    async def close(self) -> None:
        """End both threads after their current calls, and wait for at most CLOSE_SECONDS."""
        await asyncio.gather(*(thread.close(seconds=CLOSE_SECONDS) for thread in (self._loading, self._reading)))


def _timeout_error() -> NotReady:
    return NotReady(
        f"The folder of models has not been read within {READ_SECONDS:g} seconds: its disk does not answer. "
        "The loaded versions answer as before. Try again later."
    )


def _attempt(kind: EngineKind, directory: Path) -> LoadAttempt:
    fingerprint = take_fingerprint(directory)  # before the files are read, so that a change meanwhile is noticed
    try:
        return LoadAttempt(fingerprint, _load(kind, directory))
    except BrokenArtefact as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - becomes the reason of the version
        reason = f"{directory} cannot be loaded: {type(error).__name__}: {error}"
    return LoadAttempt(fingerprint, BrokenArtefact(printable(reason)[:_MAX_REASON_LENGTH]))


def _load(kind: EngineKind, directory: Path) -> VerifiedEngine | VerifiedFinder:
    card = read_card(directory)
    with tempfile.TemporaryDirectory(prefix="digitserve-loading-") as folder:
        copy = Path(folder)
        copy_verified(directory, card, copy)
        try:
            return _load_copy(kind, card, copy)
        except BrokenArtefact as error:
            message = str(error).replace(str(copy), str(directory))
            raise BrokenArtefact(message) from error


def _load_copy(kind: EngineKind, card: AnyCard, copy: Path) -> VerifiedEngine | VerifiedFinder:
    if isinstance(card, FinderCard):
        with native_messages_logged():
            finder = load_finder_engine(kind, copy)
        verify_finder(finder, card, tolerance=FINDER_TOLERANCES[kind])
        return VerifiedFinder(card, finder, read_signatures(copy))
    with native_messages_logged():
        engine = load_engine(kind, copy)
    warm_up_and_verify(engine, card, tolerance=TOLERANCES[kind])
    return VerifiedEngine(card, engine, read_signatures(copy))


def _share_one_heap() -> None:
    """Let all threads allocate memory from one heap.

    By default glibc gives each thread its own heap, and other threads do not use what is freed there: a process that
    loaded and unloaded engines grew by 23 % in 240 rounds, and by 4 % with one heap. Trimming the heaps after each
    round changed nothing.
    """
    with suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _return_memory() -> None:
    """Return the temporary memory of loading to the system: 4 MB of a worker's 180."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _lower_priority() -> None:
    if sys.platform == "linux":  # the only system on which a thread has its own priority
        thread = threading.get_native_id()
        # Only root may raise a priority, and the whole service may have been started with a lower one.
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
