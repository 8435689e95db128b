"""Scores chunks in several processes of this machine, and replaces a process that dies. Decodes no pictures.

Each process has an executor of its own, so it is known which chunk was in a process that died.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache

import structlog

from app.prediction.preprocessing_process import initialise_process
from app.score.chunks import Chunk, Picture, Scored
from app.score.errors import ScoringError
from app.score.job import Job
from app.score.output import Output
from app.score.parts import PartScorer
from app.score.scorer import BATCH_SECONDS, Row
from app.score.table import make_table

CRASHED = (
    f"The picture crashes its decoder, or takes more than {BATCH_SECONDS:.0f} seconds. Save it again, as a PNG, and "
    "score that."
)
"""The error of a picture that kills its process twice."""


def score_in_processes(job: Job, chunks: Iterable[Chunk], processes: int) -> Generator[Scored]:
    """Score chunks that are not done, and write their parts. Yields each chunk when its part is written.

    Raises:
        ServiceError: if a model cannot be loaded.
        ScoringError: if a process dies without a picture.

    """
    pool = Pool(job, processes)
    try:
        for chunk in chunks:  # the next one is read while the processes work
            if chunk.is_done:
                yield Scored(chunk.number, len(chunk.pictures), is_earlier=True)
                continue
            if pool.is_full:
                yield from pool.finish()
            pool.begin(chunk)
        while pool.is_busy:
            yield from pool.finish()
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()  # its chunk is lost; the next run scores it again
        raise
    finally:
        pool.close()


class Pool:
    """Executors of one process each, and the chunks that they score."""

    def __init__(self, job: Job, processes: int) -> None:
        """Take the largest number of processes. Each is started when it is needed."""
        self._job = job
        self._processes = processes
        self._idle: list[ProcessPoolExecutor] = []
        self._running: dict[Future[None], tuple[ProcessPoolExecutor, Chunk]] = {}
        os.environ["OPENCV_FOR_THREADS_NUM"] = "1"  # OpenCV reads it when the processes load it: each has a core

    @property
    def is_full(self) -> bool:
        """Whether no process can begin another chunk."""
        return len(self._running) == self._processes

    @property
    def is_busy(self) -> bool:
        """Whether a chunk is being scored."""
        return bool(self._running)

    def begin(self, chunk: Chunk) -> None:
        """Have a process score a chunk."""
        executor = self._idle.pop() if self._idle else _start(self._job)
        self._running[executor.submit(_write, chunk)] = executor, chunk

    def finish(self) -> Iterator[Scored]:
        """Wait until a chunk is scored. Yields it, and all others that are scored by then.

        Raises:
            ServiceError: if a model cannot be loaded.
            ScoringError: if a process dies without a picture.

        """
        for future in wait(self._running, return_when=FIRST_COMPLETED).done:
            executor, chunk = self._running.pop(future)
            try:
                future.result()
            except BrokenProcessPool:
                _score_one_by_one(self._job, chunk)
            else:
                self._idle.append(executor)
            yield Scored(chunk.number, len(chunk.pictures))

    def close(self) -> None:
        """Wait for the processes to end."""
        for executor in [*self._idle, *(executor for executor, _ in self._running.values())]:
            executor.shutdown(cancel_futures=True)


def _score_one_by_one(job: Job, chunk: Chunk) -> None:
    """Score the pictures of a chunk, one of which kills its process or takes too long. Write the part."""
    rows: list[Row] = []
    executor = None
    for picture in chunk.pictures:
        executor = executor or _start(job, wait_until_loaded=True)
        try:
            rows += executor.submit(_score, [picture]).result()
        except BrokenProcessPool:
            rows.append({"error": CRASHED})
            executor = None
    if executor:
        executor.shutdown()
    Output(job.out).write_part(chunk.number, make_table(job, chunk.pictures, rows))


def _start(job: Job, *, wait_until_loaded: bool = False) -> ProcessPoolExecutor:
    """Start a process, which loads the models.

    Raises:
        ServiceError: if a model cannot be loaded, and it waits.
        ScoringError: if the process dies meanwhile, and it waits.

    """
    executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_initialise, initargs=(job,))
    with _interrupts_ignored():
        loading = executor.submit(_load_models)
    if wait_until_loaded:
        try:
            loading.result()
        except BrokenProcessPool as error:
            message = "A process died while it loaded the models. Is there enough memory? Try fewer --processes."
            raise ScoringError(message) from error
    return executor


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in the processes that are started within the context: a terminal sends it to all of them."""
    if threading.current_thread() is not threading.main_thread():  # no other thread may change it
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _initialise(job: Job) -> None:
    """Set up a process. Called in it; an error here would lose its message, so the models are loaded later."""
    global _job  # noqa: PLW0603 - set once, before the first task
    _job = job
    initialise_process()
    parent = multiprocessing.parent_process()
    if parent is None or os.getppid() != parent.pid:  # killed before the process was set up to end with it
        os._exit(1)
    # The log would go to the terminal. What fails is raised.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


_job: Job


@cache
def _scorer() -> PartScorer:
    return PartScorer(_job)


def _load_models() -> None:
    _scorer()


def _write(chunk: Chunk) -> None:
    _scorer().write(chunk)


def _score(pictures: list[Picture]) -> list[Row]:
    return _scorer().score(pictures)
