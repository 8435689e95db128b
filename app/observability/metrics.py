"""What the service counts. Knows no routes and no models: others tell it what happened.

What is told is added up in memory and reaches the metrics every quarter of a second, when they are asked for, and at
the end. With several workers each keeps its metrics in files of one folder, and whichever is asked adds them up: what
the others have counted is then up to a quarter of a second old.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.observability.buffered_metrics import BufferedCounter, BufferedHistogram, BulkHistogram

FLUSH_SECONDS = 0.25

_MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name, set by `__main__` before it is imported

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_IMAGES = (1, 2, 4, 8, 16, 32)
# What is not numbers would make a bug of the library's out of a request's mistake.
_STRANGE_VERSION = re.compile(r";\s*version=(?![0-9]{1,4}(?:\.[0-9]{1,4}){0,2}\s*(?:[;,]|$))[^;,]*")
_STAGES = ("total", "read", "queue", "inference")


class ServiceMetrics:
    """The metrics of one application. Labels come from closed sets only, so that no client can make new series.

    It belongs to one event loop; every method is called there.
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
            "Requests answered; model and version are empty where no model answered.",
            *("method", "route", "status", "model", "version"),
        )
        self._refusals = counter(
            "digitserve_refusals", "Requests, and pictures of a batch, that were refused, by reason.", "reason"
        )
        self._predictions = counter("digitserve_predictions", "Digits read.", "model", "version", "digit")
        self._abstentions = counter(
            "digitserve_abstentions", "Answers not to be trusted.", "model", "version", "reason"
        )
        self._corrections = counter("digitserve_corrections", "Predictions corrected, by what they became.", "label")
        self._comparisons = counter(
            "digitserve_shadow_images",
            "Images that a shadow was to score too, by whether it read the same digit.",
            *("model", "version", "shadow", "outcome"),
        )
        batches = BulkHistogram(
            "digitserve_batch_images", "Images in one run of an engine.", buckets=_IMAGES, registry=registry
        )
        self._batches = BufferedHistogram(batches, _IMAGES)
        stages = BulkHistogram(
            "digitserve_stage_duration_seconds",
            "Time by stage: a request, the reading of a picture, its wait for a batch, the run of a batch.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._total, self._read, self._queue, self._inference = (
            BufferedHistogram(stages.labels(stage), _SECONDS) for stage in _STAGES
        )
        self._requests_in_progress = gauge("digitserve_http_requests_in_progress", "Requests being answered now.")
        self._queue_images = gauge(
            "digitserve_queue_images", "Most images that waited for an engine at once in the last quarter of a second."
        )
        self._in_progress = 0
        self._deepest = 0
        self._tallies = (
            *(self._requests, self._refusals, self._predictions, self._abstentions, self._corrections),
            self._comparisons,
            *(self._batches, self._total, self._read, self._queue, self._inference),
        )
        self._collectors: list[Collector] = []
        self._flushing: asyncio.Task[None] | None = None

    def add_collector(self, collector: Collector) -> None:
        """Show what is no count but as it is at the moment, and the same in every worker."""
        self._collectors.append(collector)

    def began(self) -> None:
        """Count one request in; `answered` counts it out."""
        self._in_progress += 1

    def answered(  # noqa: PLR0913, PLR0917 - the labels of one metric
        self, method: str, route: str, status: int, seconds: float, model: str = "", version: int | str = ""
    ) -> None:
        """Count one request, and which version of a model answered it if one did."""
        self._in_progress -= 1
        self._requests.add(method, route, status, model, version)
        self._total.observe(seconds)

    def refused(self, reason: str) -> None:
        """Count one request, or one picture of a batch, that was refused."""
        self._refusals.add(reason)

    def read(self, seconds: float) -> None:
        """Count one picture made into an image."""
        self._read.observe(seconds)

    def waiting(self, images: int) -> None:
        """Note how many images wait as a batch begins."""
        self._deepest = max(self._deepest, images)

    def queued(self, seconds: float) -> None:
        """Count one job's wait for its batch."""
        self._queue.observe(seconds)

    def inferred(self, images: int, seconds: float) -> None:
        """Count one batch."""
        self._batches.observe(images)
        self._inference.observe(seconds)

    def predicted(self, model: str, version: int, digit: int, reason: str | None) -> None:
        """Count one answer, and why it is not to be trusted if it is not."""
        self._predictions.add(model, version, digit)
        if reason is not None:
            self._abstentions.add(model, version, reason)

    def corrected(self, label: str) -> None:
        """Count one correction."""
        self._corrections.add(label)

    def predicted_several(self, model: str, version: int, counts: Sequence[int]) -> None:
        """Count the answers of one request: how many there are of each digit."""
        for digit, count in enumerate(counts):
            if count:
                self._predictions.add_several(count, model, version, digit)

    def compared(self, model: str, version: int, shadow: str, outcome: str, images: int) -> None:
        """Count images that another model was to score too: agreed, disagreed or skipped."""
        if images:
            self._comparisons.add_several(images, model, version, shadow, outcome)

    def flush(self) -> None:
        """Carry what has been told into the metrics."""
        for tally in self._tallies:
            tally.flush()
        self._requests_in_progress.set(self._in_progress)
        self._queue_images.set(self._deepest)
        self._deepest = 0

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics out for Prometheus.

        Args:
            accept: the formats that are taken, as in an Accept header, the best first: text/plain or OpenMetrics.

        Returns:
            The body and its content type.

        """
        self.flush()
        registry = CollectorRegistry()
        if _MULTIPROCESS_FOLDER in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
        else:
            registry.register(self._registry)
        for collector in self._collectors:
            registry.register(collector)
        encode, content_type = choose_encoder(_STRANGE_VERSION.sub("", accept))
        return encode(registry), content_type

    async def __aenter__(self) -> Self:
        _forget_dead_workers()
        self._flushing = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        self.flush()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()


def _forget_dead_workers() -> None:
    """Take what a killed worker was doing out of the sums; its counts stay. Whoever takes its place calls this."""
    for path in Path(os.environ.get(_MULTIPROCESS_FOLDER, os.devnull)).glob("gauge_live*.db"):
        worker = int(path.stem.rpartition("_")[2])
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            mark_process_dead(worker)  # type: ignore[no-untyped-call]  # as above
        except PermissionError:
            pass  # it lives, as somebody else
