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
def test_a_buffered_histogram_equals_one_that_observes_each_value_at_once(parts: list[list[float]]) -> None:
    direct, first, second = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("seconds", "Seconds.", buckets=BOUNDS, registry=direct)
    bulk = [BulkHistogram("seconds", "Seconds.", buckets=BOUNDS, registry=registry) for registry in (first, second)]
    buffered = BufferedHistogram(BOUNDS, *bulk)
    for part in parts:
        for value in part:
            histogram.observe(value)
            buffered.observe(value)
        buffered.flush()
    assert samples(first) == samples(second) == samples(direct)


def test_events_are_counted_once_by_their_label_values() -> None:
    registry = CollectorRegistry()
    buffered = BufferedCounter(Counter("requests", "Requests.", ("method", "status"), registry=registry))
    buffered.increment("GET", 200)
    buffered.increment("GET", 200)
    assert registry.get_sample_value("requests_total", {"method": "GET", "status": "200"}) is None
    buffered.flush()
    buffered.increment("GET", 200)
    buffered.increment("POST", 404)
    buffered.flush()
    buffered.flush()
    assert registry.get_sample_value("requests_total", {"method": "GET", "status": "200"}) == 3
    assert registry.get_sample_value("requests_total", {"method": "POST", "status": "404"}) == 1
