"""Counts what each version has done for the tensor protocols, in this worker. Knows no protocol."""

import time
from dataclasses import dataclass


@dataclass
class VersionStatistics:
    """What one version has done since this worker began."""

    requests: int = 0
    images: int = 0
    nanoseconds: int = 0
    failures: int = 0
    failure_nanoseconds: int = 0
    last: int = 0
    """When it last answered, in milliseconds since 1970; 0 for never."""


class Statistics:
    """The tallies of all versions that were ever asked."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int], VersionStatistics] = {}

    def of(self, name: str, version: int) -> VersionStatistics:
        """Give the tally of one version, which begins at nothing."""
        return self._tallies.setdefault((name, version), VersionStatistics())

    def succeeded(self, name: str, version: int, *, images: int, seconds: float) -> None:
        """Count one request that was answered."""
        tally = self.of(name, version)
        tally.requests += 1
        tally.images += images
        tally.nanoseconds += int(seconds * 1e9)
        tally.last = time.time_ns() // 1_000_000

    def failed(self, name: str, version: int, *, seconds: float) -> None:
        """Count one request that was not."""
        tally = self.of(name, version)
        tally.failures += 1
        tally.failure_nanoseconds += int(seconds * 1e9)
