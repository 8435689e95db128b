"""Brings one version from disk into an engine that has proved itself, and takes it down. Knows not which, or when.

All of it blocks. Loading is done in a thread of low priority: what is served meanwhile goes first. Another thread looks
at the folder, so that this does not wait until a version is loaded. A disk that does not answer holds up these two
threads, and neither the event loop nor the end of the process.
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
from app.inference.engines import TOLERANCES, Engine, EngineKind, load_engine
from app.model_repository.artefact import Fingerprint, copy_verified, printable, read_card, take_fingerprint
from app.model_repository.card import Card
from app.model_repository.daemon_thread import DaemonThread
from app.model_repository.warm_up import warm_up
from app.observability.log_setup import native_messages_logged

Result = TypeVar("Result")

READ_SECONDS = 5.0
"""How long a look at the folder may take. One at this project's models takes a millisecond."""
CLOSE_SECONDS = 2.0
"""How long the end of the service waits for what is being loaded or read."""
_LONGEST_REASON = 2_000  # characters

_M_ARENA_MAX = -8  # from glibc's malloc.h

_NICENESS = 10
"""A tenth of the weight of a thread at 0, so that loading gets on even where the cores are never idle."""


@dataclass(frozen=True)
class Loaded:
    """A version that is ready to answer."""

    card: Card
    engine: Engine


@dataclass(frozen=True)
class Attempt:
    """What came of loading a version, and the files that it came of."""

    fingerprint: Fingerprint
    outcome: Loaded | BrokenArtefact


class Loader:
    """The two threads that load and read. Its methods are for the event loop."""

    def __init__(self, kind: EngineKind) -> None:
        self._kind = kind
        if sys.platform == "linux":
            _share_one_heap()
        # TensorFlow's own threads, which do its inference, would inherit a low priority from the one that loads.
        prepare = None if kind == "tensorflow" else _lower_priority
        self._loading = DaemonThread("loader", prepare=prepare)
        self._reading = DaemonThread("models-reader")

    async def run(self, work: Callable[[], Result]) -> Result:
        """Have the thread that loads do some other work that blocks."""
        return await self._loading.run(work)

    async def read(self, work: Callable[[], Result]) -> Result:
        """Have the other thread look at the folder of models.

        Raises:
            NotReady: if the folder cannot be read, or not within READ_SECONDS.

        """
        if self._reading.busy_seconds() > READ_SECONDS:  # else what is asked for meanwhile would pile up
            raise _no_answer()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._reading.run(work)
        except TimeoutError as error:
            raise _no_answer() from error
        except OSError as error:
            message = f"The folder of models cannot be read: {printable(str(error))}. What is loaded answers as before."
            raise NotReady(message) from error

    async def load(self, directory: Path) -> Attempt:
        """Load the version in `directory`, or find out why it cannot be served."""
        attempt = await self.run(lambda: _attempt(self._kind, directory))
        await self.run(_return_memory)
        return attempt

    async def free(self, things: list[Any]) -> None:
        """Let go of what nobody else holds: tens of milliseconds for an engine.

        Args:
            things: what is to go; the list is empty afterwards.

        """
        await self.run(things.clear)

    async def close(self) -> None:
        """Finish what was begun if that is soon done, and let the threads go."""
        await asyncio.gather(*(thread.close(seconds=CLOSE_SECONDS) for thread in (self._loading, self._reading)))


def _no_answer() -> NotReady:
    return NotReady(
        f"The folder of models has not been read within {READ_SECONDS:g} seconds: its disk does not answer. "
        "What is loaded answers as before. Try again later."
    )


def _attempt(kind: EngineKind, directory: Path) -> Attempt:
    fingerprint = take_fingerprint(directory)  # before the files are read: a change meanwhile will show
    try:
        return Attempt(fingerprint, _load(kind, directory))
    except BrokenArtefact as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - handed on, with the version that it condemns
        reason = f"{directory} cannot be tried: {type(error).__name__}: {error}"
    return Attempt(fingerprint, BrokenArtefact(printable(reason)[:_LONGEST_REASON]))


def _load(kind: EngineKind, directory: Path) -> Loaded:
    card = read_card(directory)
    with tempfile.TemporaryDirectory(prefix="digitserve-loading-") as folder:
        copy = Path(folder)
        copy_verified(directory, card, copy)
        try:
            with native_messages_logged():
                engine = load_engine(kind, copy)
        except BrokenArtefact as error:
            message = str(error).replace(str(copy), str(directory))
            raise BrokenArtefact(message) from error
        warm_up(engine, card, tolerance=TOLERANCES[kind])
    return Loaded(card, engine)


def _share_one_heap() -> None:
    """Have all threads take memory from one heap.

    By default glibc gives a thread one of its own, whose freed pieces serve no other: a process in which engines come
    and go grew by 23 % in 240 turns, and by 4 % with one heap. To trim the heaps after each turn changed nothing.
    """
    with suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _return_memory() -> None:
    """Give back to the system what loading took for a moment only: 4 MB of a worker's 180."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _lower_priority() -> None:
    if sys.platform == "linux":  # the only one where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
