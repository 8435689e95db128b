"""The durations of requests by method and route, with the trace of one request for each bucket. Knows no HTTP.

A trace is an exemplar of OpenMetrics. With several workers, the exemplars are those of the worker that is scraped:
prometheus_client does not share exemplars through files.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from app.observability.buffered_metrics import BufferedHistogram, BulkHistogram

_NAME = "digitserve_http_request_duration_seconds"

_Exemplars = Mapping[tuple[str, str, int], Exemplar]
"""The exemplars by method, route and index of the bucket."""


class RequestDurations:
    """A buffered histogram for each method and route, which also add up to the histogram of all requests."""

    def __init__(self, registry: CollectorRegistry, total: BulkHistogram, bounds: Sequence[float]) -> None:
        """Take the histogram of all requests, and the upper bounds of its buckets in seconds, without infinity."""
        self._by_route = BulkHistogram(
            _NAME, "Duration of requests.", ("method", "route"), buckets=bounds, registry=registry
        )
        self._total = total
        self._bounds = bounds
        self._buffers: dict[tuple[str, str], BufferedHistogram] = {}
        self._exemplars: dict[tuple[str, str, int], Exemplar] = {}

    def observe(self, method: str, route: str, seconds: float, trace_id: str | None) -> None:
        """Add the duration of one request, and its trace if that is exported."""
        buffer = self._buffers.get((method, route))
        if buffer is None:
            histogram = self._by_route.labels(method, route)
            buffer = self._buffers[method, route] = BufferedHistogram(self._bounds, histogram, self._total)
        bucket = buffer.observe(seconds)
        if trace_id is not None:
            self._exemplars[method, route, bucket] = Exemplar({"trace_id": trace_id}, seconds, time.time())

    def flush(self) -> None:
        """Move all durations to the Prometheus histograms."""
        for buffer in self._buffers.values():
            buffer.flush()

    def with_exemplars(self, source: Collector) -> Collector:
        """Return a collector of the metrics of `source`, with the exemplars of this process."""
        return _ExemplarCollector(source, self._bounds, self._exemplars)


class _ExemplarCollector(Collector):
    def __init__(self, source: Collector, bounds: Sequence[float], exemplars: _Exemplars) -> None:
        self._source = source
        self._bounds = bounds
        self._exemplars = exemplars

    def collect(self) -> Iterator[Metric]:
        for metric in self._source.collect():
            if metric.name == _NAME:
                metric.samples = [self._with_exemplar(sample) for sample in metric.samples]
            yield metric

    def _with_exemplar(self, sample: Sample) -> Sample:
        labels = sample.labels
        if "le" not in labels:
            return sample
        bucket = bisect_left(self._bounds, float(labels["le"]))
        return sample._replace(exemplar=self._exemplars.get((labels["method"], labels["route"], bucket)))
