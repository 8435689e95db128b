"""Collects images of concurrent requests into batches for one engine. Knows no HTTP, no models and no metrics.

There is no timer. Whenever the engine is idle, it scores the images that wait, at most the largest batch at a time. So
a single image waits for a few iterations of the event loop at most, and under load a batch consists of the images that
arrived during the last run.
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


class BatchObserver(Protocol):
    """Receives the sizes and times of batches."""

    def observe_queue_size(self, images: int) -> None:
        """Record how many images wait at the start of a batch."""

    def observe_queue_time(self, seconds: float) -> None:
        """Record how long one job waited for the start of its batch."""

    def observe_batch(self, images: int, seconds: float) -> None:
        """Record the number of images in a batch, and how long the engine took."""


class BatchTracer(Protocol):
    """Records the wait and the batch of each job in the trace of its request."""

    def current_context(self) -> object:
        """Return the trace context of the caller."""

    def trace_batch(self, waits: Iterable[tuple[object, float]], images: int, seconds: float) -> None:
        """Record a batch: the trace context and the wait of each job, the number of images, and the time it took."""


ITERATIONS = 2
"""How long a batch waits for more images if the engine is idle, in iterations of the event loop.

The HTTP requests that arrived with the first one are parsed in the same iteration, and requests that arrived during it
in the next one."""

BatchCallback = Callable[[int, float, bool], None]
"""Takes the number of images in a batch, how long the engine took, and whether it is the first call for this batch."""


@dataclass(slots=True, eq=False)
class _Job:
    images: Images  # [n, 28, 28], n <= LARGEST_BATCH
    scores: asyncio.Future[Scores]
    enqueued_at: float
    trace_context: object
    on_batch: BatchCallback | None


class Batcher:
    """The queue of one engine. It belongs to one event loop; every method is called there."""

    def __init__(
        self, engine: Engine, *, queue_size: int, observer: BatchObserver, tracer: BatchTracer | None = None
    ) -> None:
        self._engine = engine
        self._queue_size = queue_size
        self._observer = observer
        self._tracer = tracer
        self._jobs: deque[_Job] = deque()
        self._waiting = 0  # images in _jobs
        self._is_busy = False  # a batch runs, or starts in one of the next iterations of the event loop
        self._is_closed = False
        self.on_scored: Callable[[Images, Scores], None] | None = None
        """Called with images and their scores when they have been scored."""
        # An engine that takes less time than a thread takes to wake up runs on the event loop. With the published
        # convnet, a request on one connection then takes 0.76 of the time that it takes with a thread.
        self._thread = None if engine.runs_inline else ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def runs_inline(self) -> bool:
        """Whether the engine runs on the event loop. No other task runs during a batch then, so no deadline applies."""
        return self._thread is None

    async def score(
        self, images: Images, *, on_batch: BatchCallback | None = None, iterations: int = ITERATIONS
    ) -> Scores:
        """Score uint8 images of shape (n, 28, 28), n >= 1, in batches with the images of other callers.

        `on_batch` is called for each batch that has scored some of them, before this method returns. `iterations` is
        for callers whose requests arrive in another rhythm than those over HTTP.

        Cancelling the caller removes its images from the queue. The other callers of its batch are not affected.

        Raises:
            Overloaded: if the queue has no place for all of the images; none of them is queued.
            NotReady: if the batcher has been closed.
            Exception: whatever the engine raised for the batch of these images.

        """
        self._check_capacity(len(images))
        if len(images) <= LARGEST_BATCH:
            return await self._enqueue(images, on_batch, iterations)
        parts = [images[start : start + LARGEST_BATCH] for start in range(0, len(images), LARGEST_BATCH)]
        return Scores.concatenate(await asyncio.gather(*(self._enqueue(part, on_batch, iterations) for part in parts)))

    async def score_in_turns(self, images: Images) -> Scores:
        """Score any number of images, n >= 1, one batch after the other, so that the images of others go in between.

        Raises what `score` does.
        """
        parts = [
            await self.score(images[start : start + LARGEST_BATCH]) for start in range(0, len(images), LARGEST_BATCH)
        ]
        return Scores.concatenate(parts)

    def score_inline(self, images: Images) -> Scores:
        """Score n <= LARGEST_BATCH images in one batch, without the queue; only if `runs_inline`.

        Raises:
            NotReady: if the batcher has been closed.
            Exception: whatever the engine raised.

        """
        self._check_open()
        self._observer.observe_queue_size(self._waiting + len(images))
        started = time.perf_counter()
        scores = self._engine(images)
        self._observer.observe_batch(len(images), time.perf_counter() - started)
        if self.on_scored is not None:
            self.on_scored(images, scores)
        return scores

    def _check_open(self) -> None:
        if self._is_closed:
            message = "The model is being unloaded. Try again in a second."
            raise NotReady(message)

    def _check_capacity(self, images: int) -> None:
        self._check_open()
        if self._waiting and self._waiting + images > self._queue_size:
            message = f"The queue is full: {self._waiting} images are waiting. Try again in a second."
            raise Overloaded(message)

    def _enqueue(self, images: Images, on_batch: BatchCallback | None, iterations: int) -> asyncio.Future[Scores]:
        loop = asyncio.get_running_loop()
        trace_context = None if self._tracer is None else self._tracer.current_context()
        job = _Job(images, loop.create_future(), time.perf_counter(), trace_context, on_batch)
        self._jobs.append(job)
        self._waiting += len(images)
        if not self._is_busy:
            self._is_busy = True
            loop.call_soon(self._run_after, iterations - 1)
        return job.scores

    def _run_after(self, iterations: int) -> None:
        """Start a batch after some more iterations of the event loop."""
        if iterations:
            asyncio.get_running_loop().call_soon(self._run_after, iterations - 1)
        else:
            self._run()

    def _run(self) -> None:
        """Start a batch of the jobs that wait, if there are any."""
        if self._thread is not None:
            self._run_in_thread(self._thread)
            return
        self._run_inline()
        # Full batches run one after the other in the same iteration of the event loop. In separate iterations, each
        # batch would wait until all requests that arrived meanwhile are parsed or refused: at ten times the load, the
        # rate would fall to a fifth.
        while self._waiting >= LARGEST_BATCH:
            self._run_inline()
        self._schedule_next()

    def _run_inline(self) -> None:
        if jobs := self._begin_batch():
            started = time.perf_counter()
            self._finish_batch(jobs, started, _run_engine(self._engine, _concatenate_images(jobs)))

    def _run_in_thread(self, thread: ThreadPoolExecutor) -> None:
        jobs = self._begin_batch()
        if not jobs:
            self._schedule_next()
            return
        started = time.perf_counter()

        def finish(running: asyncio.Future[Scores | Exception]) -> None:
            self._finish_batch(jobs, started, running.result())
            self._schedule_next()

        running = asyncio.get_running_loop().run_in_executor(
            thread, _run_engine, self._engine, _concatenate_images(jobs)
        )
        running.add_done_callback(finish)

    def _schedule_next(self) -> None:
        """Schedule the next batch if jobs wait."""
        if self._jobs:
            asyncio.get_running_loop().call_soon(self._run)
        else:
            self._is_busy = False

    def _begin_batch(self) -> list[_Job]:
        """Take the jobs of one batch out of the queue, and report how long they waited."""
        self._observer.observe_queue_size(self._waiting)
        jobs = self._take_jobs()
        now = time.perf_counter()
        for job in jobs:
            self._observer.observe_queue_time(now - job.enqueued_at)
        return jobs

    def _take_jobs(self) -> list[_Job]:
        """Take the oldest jobs that fit into one batch, and drop those whose callers were cancelled."""
        jobs: list[_Job] = []
        total = 0
        while self._jobs and total + len(self._jobs[0].images) <= LARGEST_BATCH:
            job = self._jobs.popleft()
            self._waiting -= len(job.images)
            if not job.scores.done():
                jobs.append(job)
                total += len(job.images)
        return jobs

    def _finish_batch(self, jobs: Sequence[_Job], started: float, outcome: Scores | Exception) -> None:
        """Give each caller the scores of its images, or the error of the batch."""
        start = 0
        for job in jobs:
            end = start + len(job.images)
            if job.scores.done():
                pass  # its caller was cancelled while the batch ran
            elif isinstance(outcome, Exception):
                job.scores.set_exception(outcome)
            else:
                scores = outcome.slice(start, end)
                job.scores.set_result(scores)
                if self.on_scored is not None:
                    self.on_scored(job.images, scores)
            start = end
        seconds = time.perf_counter() - started
        self._observer.observe_batch(start, seconds)
        if not isinstance(outcome, Exception):
            _report_batch(jobs, start, seconds)
        if self._tracer is not None:
            waits = ((job.trace_context, started - job.enqueued_at) for job in jobs)
            self._tracer.trace_batch(waits, start, seconds)

    async def close(self) -> None:
        """Refuse new images, score those that are queued, then stop the engine's thread."""
        self._is_closed = True
        await asyncio.gather(*(job.scores for job in self._jobs), return_exceptions=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _report_batch(jobs: Sequence[_Job], images: int, seconds: float) -> None:
    """Tell the callers that are not cancelled of their batch."""
    is_first = True
    for job in jobs:
        if job.on_batch is not None and not job.scores.cancelled():
            job.on_batch(images, seconds, is_first)
            is_first = False


def _run_engine(engine: Engine, images: Images) -> Scores | Exception:
    try:
        return engine(images)
    except Exception as error:  # noqa: BLE001 - handed on to every caller of this batch
        return error


def _concatenate_images(jobs: Sequence[_Job]) -> Images:
    return jobs[0].images if len(jobs) == 1 else np.concatenate([job.images for job in jobs])
