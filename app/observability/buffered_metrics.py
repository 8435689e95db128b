"""Counters and histograms that buffer in memory and update Prometheus metrics when flushed.

A change of a Prometheus metric takes a microsecond or more, and several times as long if workers share the metric
through a file. This module does not know what is counted, nor when to flush.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter, Histogram


class BulkHistogram(Histogram):
    """A Prometheus histogram that accepts many observations in one call."""

    def observe_many(self, counts: Sequence[int], total: float) -> None:
        """Add observations.

        Args:
            counts: the number of observations in each bucket, not cumulative; the bucket without an upper bound last.
            total: the sum of all observations.

        """
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class BufferedCounter:
    """A buffer before a Prometheus counter. Counts by label values."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._counts: defaultdict[tuple[object, ...], int] = defaultdict(int)

    def increment(self, *labels: object) -> None:
        """Add one to the count of these label values."""
        self._counts[labels] += 1

    def increment_by(self, amount: int, *labels: object) -> None:
        """Add `amount` to the count of these label values."""
        self._counts[labels] += amount

    def flush(self) -> None:
        """Move all counts to the Prometheus counter."""
        counts, self._counts = self._counts, defaultdict(int)
        for labels, count in counts.items():
            self._counter.labels(*labels).inc(count)


class BufferedHistogram:
    """A buffer before one or several Prometheus histograms, which all receive the same observations."""

    def __init__(self, bounds: Sequence[float], *histograms: BulkHistogram) -> None:
        """Take the upper bounds of the buckets, in ascending order, without infinity, and the histograms with them."""
        self._bounds = bounds
        self._histograms = histograms
        self._clear()

    def _clear(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> int:
        """Add one observation to the lowest bucket whose upper bound is at least `value`; return its index."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._total += value
        return bucket

    def flush(self) -> None:
        """Move all observations to the Prometheus histograms."""
        if any(self._counts):
            for histogram in self._histograms:
                histogram.observe_many(self._counts, self._total)
            self._clear()
