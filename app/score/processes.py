"""Scores chunks in several processes of this machine, and replaces a process that dies. Decodes no pictures.

Each process has an executor of its own, so it is known which chunk was in a process that died.
"""

import logging
import multiprocessing
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache

import structlog

from app.prediction.preprocessing_process import initialise_process
from app.score.chunks import Chunk, Picture, Scored
from app.score.errors import ScoringError
from app.score.job import Job
from app.score.output import Output
from app.score.parts import PartScorer
from app.score.scorer import Row
from app.score.table import make_table

CRASHED = "The picture crashes its decoder. Save it again, as a PNG, and send that."
"""The error of a picture, in the words of the service."""


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
            if not pool.idle:
                yield from pool.finish()
            pool.begin(chunk)
        while pool.running:
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
        self._job = job
        self.idle = [_start(job) for _ in range(processes)]
        self.running: dict[Future[None], tuple[ProcessPoolExecutor, Chunk]] = {}

    def begin(self, chunk: Chunk) -> None:
        """Have an idle process score a chunk."""
        executor = self.idle.pop()
        self.running[executor.submit(_write, chunk)] = executor, chunk

    def finish(self) -> Iterator[Scored]:
        """Wait until a chunk is scored. Yields it, and all others that are scored by then."""
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            executor, chunk = self.running.pop(future)
            try:
                future.result()
            except BrokenProcessPool:
                _score_one_by_one(self._job, chunk)
                executor = _start(self._job)
            self.idle.append(executor)
            yield Scored(chunk.number, len(chunk.pictures))

    def close(self) -> None:
        """Wait for the processes to end."""
        for executor in [*self.idle, *(executor for executor, _ in self.running.values())]:
            executor.shutdown(cancel_futures=True)


def _score_one_by_one(job: Job, chunk: Chunk) -> None:
    """Score each picture of a chunk in a process of its own if one of them kills the process. Write the part."""
    rows: list[Row] = []
    executor = None
    for picture in chunk.pictures:
        executor = executor or _start(job, check=True)
        try:
            rows += executor.submit(_score, [picture]).result()
        except BrokenProcessPool:
            rows.append({"error": CRASHED})
            executor = None
    if executor:
        executor.shutdown()
    Output(job.out).write_part(chunk.number, make_table(job, chunk.pictures, rows))


def _start(job: Job, *, check: bool = False) -> ProcessPoolExecutor:
    """Start a process.

    Args:
        job: the job of the process.
        check: whether to wait until its models are loaded.

    Raises:
        ScoringError: if it has died by then.

    """
    executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_initialise, initargs=(job,))
    if check:
        try:
            executor.submit(_load_models).result()
        except BrokenProcessPool as error:
            message = "A process died while it loaded the models. Is there enough memory? Try fewer --processes."
            raise ScoringError(message) from error
    return executor


def _initialise(job: Job) -> None:
    """Set up a process. Called in it; an error here would lose its message, so the models are loaded later."""
    global _job  # noqa: PLW0603 - set once, before the first task
    _job = job
    initialise_process()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )  # it goes to the terminal


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
