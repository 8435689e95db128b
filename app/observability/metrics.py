"""The Prometheus metrics of the service. Knows no routes and no models: their names arrive as label values.

Counts are buffered in memory. They are flushed to the Prometheus metrics every quarter of a second, for each scrape,
and when the service stops. Several workers keep their metrics in files of one folder, and the worker that is scraped
adds them up: the counts of the other workers may then be a quarter of a second old.
"""

import asyncio
import os
import re
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.observability.buffered_metrics import BufferedCounter, BufferedHistogram, BulkHistogram
from app.observability.process_metrics import MULTIPROC_DIR, ProcessMetrics, ProcessorTime, worker_ids
from app.observability.request_durations import RequestDurations

FLUSH_SECONDS = 0.25
"""The interval between two flushes."""

# In seconds. The fastest of the frequent stages, preprocessing of 28x28 pixels in a batch, takes some 40 microseconds.
_DURATION_BOUNDS = (25e-6, 5e-5, 1e-4, 25e-5, 5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32)
# A version that is not numeric would raise in prometheus_client, and the response would be a 500.
_INVALID_VERSION = re.compile(r";\s*version=(?![0-9]{1,4}(?:\.[0-9]{1,4}){0,2}\s*(?:[;,]|$))[^;,]*")


class ServiceMetrics:
    """The metrics of one application. Label values come from closed sets, so that no client can create new series.

    Belongs to one event loop: all methods are called in its thread. As an async context manager, flushes regularly.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry

        def counter(name: str, help_: str, *labels: str) -> BufferedCounter:
            return BufferedCounter(Counter(name, help_, labels, registry=registry))

        def gauge(name: str, help_: str) -> Gauge:
            return Gauge(name, help_, registry=registry, multiprocess_mode="livesum")

        self._requests = counter(
            "digitserve_http_requests",
            "Requests answered. Model and version are empty if no model answered.",
            *("method", "route", "status", "model", "version"),
        )
        self._problems = counter(
            "digitserve_refusals",
            "Problems sent to clients, for requests and for pictures of a batch, by type.",
            "reason",
        )
        self._predictions = counter("digitserve_predictions", "Digits predicted.", "model", "version", "digit")
        self._abstentions = counter(
            "digitserve_abstentions", "Predictions that abstained, by reason.", "model", "version", "reason"
        )
        self._readings = counter("digitserve_readings", "Pictures in which all digits were read.", "model", "version")
        self._read_digits = counter(
            "digitserve_read_digits",
            "Digits read in pictures, by the reason of the abstention; empty if the model did not abstain.",
            *("model", "version", "reason"),
        )
        self._corrections = counter(
            "digitserve_corrections", "Corrections of predictions, by the correct label.", "label"
        )
        self._shadow_images = counter(
            "digitserve_shadow_images",
            "Images copied to the shadow model, by whether it predicted the same digit.",
            *("model", "version", "shadow", "outcome"),
        )
        batches = BulkHistogram(
            "digitserve_batch_images",
            "Images in one batch of an engine.",
            buckets=_BATCH_SIZE_BUCKETS,
            registry=registry,
        )
        self._batches = BufferedHistogram(_BATCH_SIZE_BUCKETS, batches)
        stages = BulkHistogram(
            "digitserve_stage_duration_seconds",
            "Duration by stage. total: the whole request; read: preprocessing of a picture; find: finding the digits "
            "in a picture; queue: wait for a batch; inference: a batch.",
            ("stage",),
            buckets=_DURATION_BOUNDS,
            registry=registry,
        )

        def duration(stage: str) -> BufferedHistogram:
            return BufferedHistogram(_DURATION_BOUNDS, stages.labels(stage))

        self._request_durations = RequestDurations(registry, stages.labels("total"), _DURATION_BOUNDS)
        self._preprocessing = duration("read")
        self._finding = duration("find")
        self._queue_time = duration("queue")
        self._inference = duration("inference")
        self._requests_in_progress = gauge("digitserve_http_requests_in_progress", "Requests in progress.")
        self._queue_size = gauge(
            "digitserve_queue_images", "Maximum number of images waiting for an engine in the last quarter of a second."
        )
        self._in_progress = 0
        self._max_queue_size = 0
        self._buffered = (
            *(self._requests, self._problems, self._predictions, self._abstentions, self._corrections),
            *(self._readings, self._read_digits, self._shadow_images, self._batches),
            ProcessorTime(registry),
            *(self._request_durations, self._preprocessing, self._finding, self._queue_time, self._inference),
        )
        self._collectors: list[Collector] = [ProcessMetrics(worker_ids)]
        self._flush_task: asyncio.Task[None] | None = None

    def add_collector(self, collector: Collector) -> None:
        """Include metrics that are collected at each exposition and are the same in every worker."""
        self._collectors.append(collector)

    def begin_request(self) -> None:
        """Add one request to the requests in progress; `end_request` removes it."""
        self._in_progress += 1

    def end_request(  # noqa: PLR0913, PLR0917 - the labels of one metric
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        model: str = "",
        version: int | str = "",
        *,
        trace_id: str | None = None,
    ) -> None:
        """Count one answered request, its duration, and the model version and the trace of it, if there are any."""
        self._in_progress -= 1
        self._requests.increment(method, route, status, model, version)
        self._request_durations.observe(method, route, seconds, trace_id)

    def count_problem(self, name: str) -> None:
        """Count one problem that is sent to a client, for a request or a picture of a batch, by its name."""
        self._problems.increment(name)

    def observe_preprocessing(self, seconds: float) -> None:
        """Record the duration of one preprocessing."""
        self._preprocessing.observe(seconds)

    def observe_finding(self, seconds: float) -> None:
        """Record how long it took to find the digits in a picture."""
        self._finding.observe(seconds)

    def observe_queue_size(self, images: int) -> None:
        """Record how many images are waiting when a batch starts."""
        self._max_queue_size = max(self._max_queue_size, images)

    def observe_queue_time(self, seconds: float) -> None:
        """Record how long one job waited for its batch."""
        self._queue_time.observe(seconds)

    def observe_batch(self, images: int, seconds: float) -> None:
        """Record the size of one batch and the duration of its inference."""
        self._batches.observe(images)
        self._inference.observe(seconds)

    def count_prediction(self, model: str, version: int, digit: int, reason: str | None) -> None:
        """Count one prediction, and the reason of its abstention if it abstained."""
        self._predictions.increment(model, version, digit)
        if reason is not None:
            self._abstentions.increment(model, version, reason)

    def count_reading(self, model: str, version: int, reasons: Iterable[str | None]) -> None:
        """Count one picture in which all digits were read, and the reason of the abstention of each digit, if any."""
        self._readings.increment(model, version)
        for reason, digits in Counts(reason or "" for reason in reasons).items():
            self._read_digits.increment_by(digits, model, version, reason)

    def count_correction(self, label: str) -> None:
        """Count one correction."""
        self._corrections.increment(label)

    def count_predicted_digits(self, model: str, version: int, counts: Sequence[int]) -> None:
        """Count the predictions of one request: `counts[digit]` images were classified as `digit`."""
        for digit, count in enumerate(counts):
            if count:
                self._predictions.increment_by(count, model, version, digit)

    def count_shadow_images(self, model: str, version: int, shadow: str, outcome: str, images: int) -> None:
        """Count images copied to a shadow model, by outcome: agreed, disagreed or skipped."""
        if images:
            self._shadow_images.increment_by(images, model, version, shadow, outcome)

    def flush(self) -> None:
        """Move all buffered counts to the Prometheus metrics."""
        for buffered in self._buffered:
            buffered.flush()
        self._requests_in_progress.set(self._in_progress)
        self._queue_size.set(self._max_queue_size)
        self._max_queue_size = 0

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics in a format that Prometheus reads.

        Args:
            accept: the accepted formats, as in an Accept header, the preferred first: text/plain or OpenMetrics.

        Returns:
            The body and its content type.

        """
        self.flush()
        own: Collector = self._registry
        if MULTIPROC_DIR in os.environ:
            own = MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # the library has no types there
        registry = CollectorRegistry()
        for collector in (self._request_durations.with_exemplars(own), *self._collectors):
            registry.register(collector)
        encode, content_type = choose_encoder(_INVALID_VERSION.sub("", accept))
        return encode(registry), content_type

    async def __aenter__(self) -> Self:
        _remove_dead_workers()
        self._flush_task = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._flush_task is not None:
            self._flush_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._flush_task
        self.flush()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()


def _remove_dead_workers() -> None:
    """Remove the gauges of workers that were killed from the sums. Their counters stay. Each new worker calls this."""
    for process_id in worker_ids() - {os.getpid()}:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            mark_process_dead(process_id)  # type: ignore[no-untyped-call]  # as above
        except PermissionError:
            pass  # the process is alive and belongs to another user
