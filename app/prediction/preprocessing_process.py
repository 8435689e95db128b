"""Reads a picture in a process of its own: what runs there, and the limits that it sets itself. Knows no service.

A decoder in a thread cannot be stopped, and takes the memory of the worker. A process can be killed. The bounds of
`imaging` hold for all pictures that it knows of; these hold for the others.
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

from imaging import PictureError, PictureTooLarge, PreprocessedPicture, preprocess_picture

MOST_BYTES = 128 * 1024**2
"""Memory that reading one picture may take: the 120 MB that `imaging` allows a decoder, and the steps behind it."""
_PR_SET_PDEATHSIG = 1  # from prctl.h
_NICENESS = 10
"""A tenth of the weight of the worker, which has many small requests to answer."""


def read_alone(data: bytes, max_pixels: int, seconds: float) -> tuple[PreprocessedPicture | PictureError, float]:
    """Read the picture in `data`, or find out why it cannot be read; and say how many seconds that took.

    The process is killed by the system if it takes longer than `seconds`, even where nobody is left to do it.
    """
    prepare()
    started = time.perf_counter()
    outcome: PreprocessedPicture | PictureError
    with _limited_time(seconds), _limited_memory(MOST_BYTES + len(data)):
        try:
            outcome = preprocess_picture(data, max_pixels=max_pixels)
        except MemoryError:
            outcome = PictureTooLarge(f"The picture takes more than {MOST_BYTES:,} bytes to be read. Send it smaller.")
        except PictureError as error:
            outcome = error
    return outcome, time.perf_counter() - started


@cache
def prepare() -> None:
    """Have this process, once, leave the worker alone: its processor time, its log and its Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a terminal sends to all processes: the worker ends this one
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # so that none outlives a worker that was killed
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # the descriptor that decoders write to past Python
    os.close(silence)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


@contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    if sys.platform == "win32":  # the worker kills it all the same
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _limited_memory(count: int) -> Iterator[None]:
    """Have allocations fail that would take this process more than `count` bytes beyond what it has."""
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415 - Windows has no such module

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # its data and stacks
    most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = pages * resource.getpagesize() + count
    resource.setrlimit(
        resource.RLIMIT_DATA, (limit if most[1] == resource.RLIM_INFINITY else min(limit, most[1]), most[1])
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, most)
