from app.observability.statistics import Statistics, VersionStatistics


def test_each_version_has_its_own_counts() -> None:
    statistics = Statistics()
    statistics.record_success("softmax", 1, images=10, seconds=0.5)
    statistics.record_success("softmax", 1, images=2, seconds=0.25)
    statistics.record_failure("softmax", 1, seconds=1.0)
    version_statistics = statistics.get("softmax", 1)
    assert (version_statistics.successes, version_statistics.images, version_statistics.success_nanoseconds) == (
        2,
        12,
        750_000_000,
    )
    assert (version_statistics.failures, version_statistics.failure_nanoseconds) == (1, 1_000_000_000)
    assert version_statistics.last_inference > 1_600_000_000_000
    assert statistics.get("softmax", 2) == VersionStatistics()
