"""Shows the progress of a run on standard error: a bar in a terminal, or else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

_LINE_SECONDS = 60.0
"""The time between two lines."""


class Update(Protocol):
    """Adds to the progress."""

    def __call__(self, pictures: int, *, earlier: bool = False) -> None:
        """Add a number of pictures; `earlier` ones were scored by an earlier run, and do not count for the rate."""


@contextmanager
def progress(total: int | None, clock: Callable[[], float] = time.monotonic) -> Iterator[Update]:
    """Show the progress within the context.

    Args:
        total: the number of pictures; None if it is not known.
        clock: returns the time in seconds.

    """
    if not sys.stderr.isatty():
        yield _Lines(total, clock)
        return
    with tqdm(total=total, unit=" pictures", dynamic_ncols=True) as bar:

        def update(pictures: int, *, earlier: bool = False) -> None:
            bar.initial += pictures if earlier else 0
            bar.update(pictures)

        yield update


class _Lines:
    """Prints a line after a minute, and then every minute."""

    def __init__(self, total: int | None, clock: Callable[[], float]) -> None:
        self._whole = "" if total is None else f" of {total:,}"
        self._clock = clock
        self._started = self._printed = clock()
        self._done = self._scored = 0

    def __call__(self, pictures: int, *, earlier: bool = False) -> None:
        self._done += pictures
        self._scored += 0 if earlier else pictures
        now = self._clock()
        if now - self._printed >= _LINE_SECONDS:
            self._printed = now
            rate = self._scored / (now - self._started)
            sys.stderr.write(f"{self._done:,}{self._whole} pictures, {rate:,.0f} a second\n")
