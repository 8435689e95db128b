"""Counts that cost a request next to nothing: kept in memory, and carried into Prometheus' metrics now and then.

A metric of the library takes a microsecond or more for each change, several times that where workers share it through a
file. Knows nothing of what is counted, nor when it is carried over.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter, Histogram


class BulkHistogram(Histogram):
    """A histogram of the library's that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add observations.

        Args:
            counts: how many fell into each bucket alone, the one without an upper bound last.
            total: the sum of them all.

        """
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class BufferedCounter:
    """Counts events by the values of their labels."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._new: defaultdict[tuple[object, ...], int] = defaultdict(int)

    def add(self, *labels: object) -> None:
        """Count one event."""
        self._new[labels] += 1

    def add_several(self, count: int, *labels: object) -> None:
        """Count several at once."""
        self._new[labels] += count

    def flush(self) -> None:
        """Carry over what has been counted since the last time."""
        new, self._new = self._new, defaultdict(int)
        for labels, count in new.items():
            self._counter.labels(*labels).inc(count)


class BufferedHistogram:
    """Sorts observations into the buckets of one histogram."""

    def __init__(self, histogram: BulkHistogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._clear()

    def _clear(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation, in the lowest bucket whose upper bound it does not exceed."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def flush(self) -> None:
        """Carry over what has been observed since the last time."""
        if any(self._counts):
            self._histogram.add(self._counts, self._total)
            self._clear()
