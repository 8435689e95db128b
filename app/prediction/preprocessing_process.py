"""Runs a function of `imaging` for a picture in a process of its own, and limits that process. Knows no requests.

A thread cannot stop a decoder, and shares the memory of the worker. A process can be killed. `imaging` refuses pictures
whose headers announce too high a cost. The limits here stop all other pictures that take too much time or memory.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from imaging import PictureError, PictureTooLarge

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MAX_MEMORY_BYTES = 128 * 1024**2
"""Memory for one picture: the 120 MB that `imaging` allows a decoder, and the steps after decoding."""
_PR_SET_PDEATHSIG = 1  # from prctl.h
_NICENESS = 10
"""A tenth of the weight of the worker, which has many small requests to answer."""


class PictureFunction(Protocol[T_co]):
    """A function of `imaging` that decodes a picture, at the top of its module: the process finds it by its name."""

    def __call__(self, data: bytes, *, max_pixels: int) -> T_co:
        """Return the result for the picture file `data`, or raise a PictureError."""


def run_with_limits(
    function: PictureFunction[T], data: bytes, max_pixels: int, seconds: float
) -> tuple[T | PictureError, float]:
    """Call `function` for the picture in `data`, with limited time and memory.

    The system kills the process if it takes longer than `seconds`, also if the worker is gone.

    Returns:
        The result, or why the picture cannot be decoded, and the seconds that it took.

    """
    initialise_process()
    started = time.perf_counter()
    outcome: T | PictureError
    with limited_time(seconds), _limited_memory(MAX_MEMORY_BYTES + len(data)):
        try:
            outcome = function(data, max_pixels=max_pixels)
        except MemoryError:
            outcome = PictureTooLarge(
                f"The picture takes more than {MAX_MEMORY_BYTES:,} bytes of memory to decode. Send a smaller one."
            )
        except PictureError as error:
            outcome = error
    return outcome, time.perf_counter() - started


@cache
def initialise_process() -> None:
    """Set up this process; only the first call acts.

    The process gets a lower priority, ends with its worker, ignores Ctrl-C and writes nothing to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the worker ends this one
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # ends with its worker, also if that is killed
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # the file descriptor to which C libraries write
    os.close(devnull)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


@contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Let the system kill this process if it is still within the context after `seconds`; not on Windows."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _limited_memory(max_bytes: int) -> Iterator[None]:
    """Let allocations fail that exceed `max_bytes` on top of the memory that this process has."""
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415 - Windows has no such module

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stacks
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = pages * resource.getpagesize() + max_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
