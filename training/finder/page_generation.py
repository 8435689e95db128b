"""Generates pages in background processes while a finder is trained. Knows no network, and does not import TensorFlow.

A page depends only on the digits, the seed and its number. So the pages are the same for any number of processes.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import ClassVar

import numpy as np

from training.data.examples import Examples
from training.data.pages import Pages, draw_pages

PROCESSES = 2
"""The background processes. Fewer keep the training loop waiting on two cores, and more take its cores away."""
BATCHES_AHEAD = 8
"""The batches that are generated before they are needed, so that no batch of slow pages holds up the training loop."""


@contextmanager
def generate_batches(
    digits: Examples, seed: int, batch_size: int, batches: range, processes: int = PROCESSES
) -> Iterator[Iterator[Pages]]:
    """Generate batches of pages in background processes, which end with the block.

    Batch b has the pages b * batch_size to (b + 1) * batch_size. At most BATCHES_AHEAD batches wait to be used.

    Args:
        digits: The digits that are drawn on the pages.
        seed: The seed of the pages.
        batch_size: The pages in a batch.
        batches: The numbers of the batches, in order.
        processes: The number of background processes.

    Yields:
        The batches, in order. An error in a background process is raised here.

    """
    executor = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(digits,)
    )
    try:
        yield _in_order(executor, seed, batch_size, batches)
    finally:
        executor.shutdown(cancel_futures=True)


def generate_pages(digits: Examples, seed: int, count: int, batch_size: int = 25) -> Pages:
    """Generate the pages 0 to `count` in background processes, and return them all."""
    batches = range(-(-count // batch_size))
    with generate_batches(digits, seed, batch_size, batches) as generated:
        stacked = [np.concatenate(arrays)[:count] for arrays in zip(*generated, strict=True)]
    return Pages(*stacked)


def _in_order(executor: ProcessPoolExecutor, seed: int, batch_size: int, batches: range) -> Iterator[Pages]:
    waiting: deque[Future[Pages]] = deque()
    for batch in batches:
        with _interrupt_blocked():
            waiting.append(executor.submit(_draw_batch, seed, batch * batch_size, batch_size))
        if len(waiting) > BATCHES_AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Start processes that Ctrl-C does not interrupt: they inherit the blocked signal, and end with the executor.

    The terminal sends Ctrl-C to all processes. Each would print a traceback. In this process the signal is only
    delayed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """What a background process keeps between batches."""

    digits: ClassVar[Examples]


def _start_worker(digits: Examples) -> None:
    _Worker.digits = digits
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process if the training program is killed. An executor would leave it waiting for ever."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _draw_batch(seed: int, start: int, count: int) -> Pages:
    return draw_pages(_Worker.digits, seed, start, count)
