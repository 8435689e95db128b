from app.observability.statistics import Statistics, VersionStatistics


def test_versions_are_counted_apart() -> None:
    statistics = Statistics()
    statistics.succeeded("softmax", 1, images=10, seconds=0.5)
    statistics.succeeded("softmax", 1, images=2, seconds=0.25)
    statistics.failed("softmax", 1, seconds=1.0)
    tally = statistics.of("softmax", 1)
    assert (tally.requests, tally.images, tally.nanoseconds) == (2, 12, 750_000_000)
    assert (tally.failures, tally.failure_nanoseconds) == (1, 1_000_000_000)
    assert tally.last > 1_600_000_000_000
    assert statistics.of("softmax", 2) == VersionStatistics()
