from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.samples import Sample

from app.observability.buffered_metrics import BufferedCounter, BufferedHistogram, BulkHistogram

BOUNDS = (0.5, 1, 2)


def samples(registry: CollectorRegistry) -> list[Sample]:
    return [
        sample for metric in registry.collect() for sample in metric.samples if not sample.name.endswith("_created")
    ]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 1e9]))))
def test_a_tally_carried_over_now_and_then_equals_a_histogram_told_each_time(parts: list[list[float]]) -> None:
    told, tallied = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("seconds", "Seconds.", buckets=BOUNDS, registry=told)
    tally = BufferedHistogram(BulkHistogram("seconds", "Seconds.", buckets=BOUNDS, registry=tallied), BOUNDS)
    for part in parts:
        for value in part:
            histogram.observe(value)
            tally.observe(value)
        tally.flush()
    assert samples(tallied) == samples(told)


def test_events_are_counted_by_their_labels_once_each() -> None:
    registry = CollectorRegistry()
    tally = BufferedCounter(Counter("requests", "Requests.", ("method", "status"), registry=registry))
    tally.add("GET", 200)
    tally.add("GET", 200)
    assert registry.get_sample_value("requests_total", {"method": "GET", "status": "200"}) is None
    tally.flush()
    tally.add("GET", 200)
    tally.add("POST", 404)
    tally.flush()
    tally.flush()
    assert registry.get_sample_value("requests_total", {"method": "GET", "status": "200"}) == 3
    assert registry.get_sample_value("requests_total", {"method": "POST", "status": "404"}) == 1
