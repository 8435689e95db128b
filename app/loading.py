"""Brings one version from disk into an engine that has proved itself, and takes it down. Knows not which, or when.

All of it blocks, and is done in one thread of low priority: what is served meanwhile goes first.
"""

import asyncio
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.artefact import Fingerprint, read_card, take_fingerprint, verify
from app.card import Card
from app.engine import TOLERANCES, Engine, EngineKind, load_engine
from app.errors import BrokenArtefact
from app.selftest import prove

Result = TypeVar("Result")

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
    """The thread that loads. Its methods are for the event loop."""

    def __init__(self, kind: EngineKind) -> None:
        self._kind = kind
        if sys.platform == "linux":
            _share_one_heap()
        # TensorFlow's own threads, which do its inference, would inherit a low priority from the one that loads.
        prepare = None if kind == "tensorflow" else _lower_priority
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader", initializer=prepare)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Have the thread do some other work that blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

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
        """Finish what was begun, and let the thread go."""
        await asyncio.to_thread(self._thread.shutdown)


def _attempt(kind: EngineKind, directory: Path) -> Attempt:
    fingerprint = take_fingerprint(directory)  # before the files are read: a change meanwhile will show
    try:
        card = read_card(directory)
        verify(directory, card)
        engine = load_engine(kind, directory)
        prove(engine, card, tolerance=TOLERANCES[kind])
    except BrokenArtefact as error:
        return Attempt(fingerprint, error)
    except Exception as error:  # noqa: BLE001 - handed on, with the version that it condemns
        message = f"{directory} cannot be tried: {type(error).__name__}: {error}"
        return Attempt(fingerprint, BrokenArtefact(message))
    return Attempt(fingerprint, Loaded(card, engine))


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
