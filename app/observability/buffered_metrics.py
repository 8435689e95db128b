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
    """A buffer before a Prometheus histogram."""

    def __init__(self, histogram: BulkHistogram, bounds: Sequence[float]) -> None:
        """Take the histogram and the upper bounds of its buckets, in ascending order, without infinity."""
        self._histogram = histogram
        self._bounds = bounds
        self._clear()

    def _clear(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Add one observation to the lowest bucket whose upper bound is at least `value`."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def flush(self) -> None:
        """Move all observations to the Prometheus histogram."""
        if any(self._counts):
            self._histogram.observe_many(self._counts, self._total)
            self._clear()
