"""Gathers single pictures into batches for one engine. Knows nothing of HTTP, models or what a score means.

There is no timer. Whenever the engine is free it takes what is waiting, up to its largest batch: a lone picture runs at
once, and under load batches form by themselves from what came in meanwhile.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from app.errors import NotReady, Overloaded
from app.inference.engines import LARGEST_BATCH, Engine, Images
from app.inference.scores import Scores


class Observer(Protocol):
    """Who wants to know how batches fare."""

    def observe_queue_size(self, images: int) -> None:
        """Be told how many images wait as a batch begins."""

    def observe_queue_time(self, seconds: float) -> None:
        """Be told how long one job waited for its batch to begin."""

    def observe_batch(self, images: int, seconds: float) -> None:
        """Be told how many images a batch had, and how long the engine took."""


class Tracer(Protocol):
    """Who wants to know of each job how it fared, and on whose behalf it was done."""

    def current_context(self) -> object:
        """Say on whose behalf the caller runs."""

    def trace_batch(self, waits: Iterable[tuple[object, float]], images: int, seconds: float) -> None:
        """Be told of a batch: of each job the sender and its wait, the number of images, and how long it took."""


@dataclass(slots=True, eq=False)
class _Job:
    images: Images  # [n, 28, 28], n <= LARGEST_BATCH
    scores: asyncio.Future[Scores]
    since: float
    sender: object


class Batcher:
    """The queue before one engine. It belongs to one event loop; every method is called there."""

    def __init__(self, engine: Engine, *, queue_size: int, observer: Observer, tracer: Tracer | None = None) -> None:
        self._engine = engine
        self._queue_size = queue_size
        self._observer = observer
        self._tracer = tracer
        self._jobs: deque[_Job] = deque()
        self._waiting = 0  # images in _jobs
        self._busy = False  # a run is under way or will begin in a turn or two of the loop
        self._closed = False
        self.note: Callable[[Images, Scores], None] | None = None
        """Told of what has been answered, if anybody wants to know."""
        # An engine that is done sooner than a thread can be woken runs on the loop itself. With the convnet here, one
        # connection is answered in 0.76 of the time that a hand-over to a thread takes.
        self._thread = None if engine.runs_inline else ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def runs_inline(self) -> bool:
        """Whether a batch is done before anything else could be, so that nobody need watch how long it takes."""
        return self._thread is None

    async def score(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28), n >= 1, together with whatever else is waiting.

        Cancelling the caller takes its images out of the queue and leaves its neighbours alone.

        Raises:
            Overloaded: if they do not fit into the queue; none of them is taken.
            NotReady: if the batcher has been closed.
            Exception: whatever the engine raised on the batch that these images were in.

        """
        self._check_room(len(images))
        if len(images) <= LARGEST_BATCH:
            return await self._enqueue(images)
        parts = [images[start : start + LARGEST_BATCH] for start in range(0, len(images), LARGEST_BATCH)]
        return Scores.concatenate(await asyncio.gather(*map(self._enqueue, parts)))

    def score_inline(self, images: Images) -> Scores:
        """Score n <= LARGEST_BATCH images past the queue, where the engine `is_brief`; raises what `score` does."""
        self._check_open()
        self._observer.observe_queue_size(self._waiting + len(images))
        started = time.perf_counter()
        scores = self._engine(images)
        self._observer.observe_batch(len(images), time.perf_counter() - started)
        if self.note is not None:
            self.note(images, scores)
        return scores

    def _check_open(self) -> None:
        if self._closed:
            message = "The model is being taken down. Try again in a second."
            raise NotReady(message)

    def _check_room(self, images: int) -> None:
        self._check_open()
        if self._waiting and self._waiting + images > self._queue_size:
            message = f"The queue is full: {self._waiting} pictures are waiting. Try again in a second."
            raise Overloaded(message)

    def _enqueue(self, images: Images) -> asyncio.Future[Scores]:
        loop = asyncio.get_running_loop()
        sender = None if self._tracer is None else self._tracer.current_context()
        job = _Job(images, loop.create_future(), time.perf_counter(), sender)
        self._jobs.append(job)
        self._waiting += len(images)
        if not self._busy:
            self._busy = True
            # Not at once: the requests that arrived with this one are read in the same turn of the loop, and those that
            # came in meanwhile in the next.
            loop.call_soon(loop.call_soon, self._run)
        return job.scores

    def _run(self) -> None:
        """Begin a batch of what is waiting, if anything is."""
        if self._thread is not None:
            self._run_in_thread(self._thread)
            return
        self._run_here()
        # Full batches follow at once. With a turn of the loop between them, each would wait for all that came in
        # meanwhile to be read, or to be refused: ten times the load then leaves a fifth of the answers.
        while self._waiting >= LARGEST_BATCH:
            self._run_here()
        self._go_on()

    def _run_here(self) -> None:
        if jobs := self._begin():
            started = time.perf_counter()
            self._finish(jobs, started, _attempt(self._engine, _images_of(jobs)))

    def _run_in_thread(self, thread: ThreadPoolExecutor) -> None:
        jobs = self._begin()
        if not jobs:
            self._go_on()
            return
        started = time.perf_counter()

        def finish(attempt: asyncio.Future[Scores | Exception]) -> None:
            self._finish(jobs, started, attempt.result())
            self._go_on()

        running = asyncio.get_running_loop().run_in_executor(thread, _attempt, self._engine, _images_of(jobs))
        running.add_done_callback(finish)

    def _go_on(self) -> None:
        """See to the next batch."""
        if self._jobs:
            asyncio.get_running_loop().call_soon(self._run)
        else:
            self._busy = False

    def _begin(self) -> list[_Job]:
        """Take the jobs of one batch, and tell of their waiting."""
        self._observer.observe_queue_size(self._waiting)
        jobs = self._take()
        now = time.perf_counter()
        for job in jobs:
            self._observer.observe_queue_time(now - job.since)
        return jobs

    def _take(self) -> list[_Job]:
        """Take the oldest jobs that make up one batch, passing over those whose callers have left."""
        jobs: list[_Job] = []
        total = 0
        while self._jobs and total + len(self._jobs[0].images) <= LARGEST_BATCH:
            job = self._jobs.popleft()
            self._waiting -= len(job.images)
            if not job.scores.done():
                jobs.append(job)
                total += len(job.images)
        return jobs

    def _finish(self, jobs: Sequence[_Job], started: float, outcome: Scores | Exception) -> None:
        """Give each caller its share of the batch, or the error that befell it."""
        start = 0
        for job in jobs:
            end = start + len(job.images)
            if job.scores.done():
                pass  # its caller left while the batch ran
            elif isinstance(outcome, Exception):
                job.scores.set_exception(outcome)
            else:
                scores = outcome.part(start, end)
                job.scores.set_result(scores)
                if self.note is not None:
                    self.note(job.images, scores)
            start = end
        seconds = time.perf_counter() - started
        self._observer.observe_batch(start, seconds)
        if self._tracer is not None:
            self._tracer.trace_batch(((job.sender, started - job.since) for job in jobs), start, seconds)

    async def close(self) -> None:
        """Take nothing new, answer everyone who waits, then let the engine's thread go."""
        self._closed = True
        await asyncio.gather(*(job.scores for job in self._jobs), return_exceptions=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _attempt(engine: Engine, images: Images) -> Scores | Exception:
    try:
        return engine(images)
    except Exception as error:  # noqa: BLE001 - it is handed on to everyone who waits for this batch
        return error


def _images_of(jobs: Sequence[_Job]) -> Images:
    return jobs[0].images if len(jobs) == 1 else np.concatenate([job.images for job in jobs])
