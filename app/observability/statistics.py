"""Counts the requests of the tensor protocols by model version, in this worker. Knows no protocol."""

import time
from dataclasses import dataclass


@dataclass
class VersionStatistics:
    """The counts of one version since this worker started."""

    successes: int = 0
    """The number of successful requests."""
    images: int = 0
    """The number of their images."""
    success_nanoseconds: int = 0
    """The total duration of successful requests."""
    failures: int = 0
    """The number of failed requests."""
    failure_nanoseconds: int = 0
    """The total duration of failed requests."""
    last_inference: int = 0
    """The time of the last successful request, in milliseconds since 1970; 0 if there was none."""


class Statistics:
    """The statistics of all versions that have received a request."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], VersionStatistics] = {}

    def get(self, name: str, version: int) -> VersionStatistics:
        """Return the statistics of one version. They start at zero."""
        return self._versions.setdefault((name, version), VersionStatistics())

    def record_success(self, name: str, version: int, *, images: int, seconds: float) -> None:
        """Count a successful request."""
        statistics = self.get(name, version)
        statistics.successes += 1
        statistics.images += images
        statistics.success_nanoseconds += int(seconds * 1e9)
        statistics.last_inference = time.time_ns() // 1_000_000

    def record_failure(self, name: str, version: int, *, seconds: float) -> None:
        """Count a failed request."""
        statistics = self.get(name, version)
        statistics.failures += 1
        statistics.failure_nanoseconds += int(seconds * 1e9)
