import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Exemplar

from app.observability.buffered_metrics import BulkHistogram
from app.observability.request_durations import RequestDurations

BOUNDS = (0.01, 0.1)
NAME = "digitserve_http_request_duration_seconds"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def durations(registry: CollectorRegistry) -> RequestDurations:
    total = BulkHistogram("total_seconds", "All requests.", buckets=BOUNDS, registry=registry)
    return RequestDurations(registry, total, BOUNDS)


def exemplars(durations: RequestDurations, registry: CollectorRegistry) -> dict[tuple[str, str], Exemplar]:
    return {
        (sample.labels["route"], sample.labels["le"]): sample.exemplar
        for metric in durations.with_exemplars(registry).collect()
        for sample in metric.samples
        if sample.exemplar is not None
    }


def test_the_routes_add_up_to_all_requests(durations: RequestDurations, registry: CollectorRegistry) -> None:
    durations.observe("POST", "/predict", 0.02, None)
    durations.observe("POST", "/predict", 0.001, None)
    durations.observe("GET", "/models", 0.2, None)
    durations.flush()
    durations.flush()
    predict = {"method": "POST", "route": "/predict"}
    assert registry.get_sample_value(f"{NAME}_bucket", {**predict, "le": "0.01"}) == 1
    assert registry.get_sample_value(f"{NAME}_count", predict) == 2
    assert registry.get_sample_value(f"{NAME}_sum", {"method": "GET", "route": "/models"}) == 0.2
    assert registry.get_sample_value("total_seconds_count") == 3
    assert registry.get_sample_value("total_seconds_sum") == pytest.approx(0.221)


def test_the_exemplar_of_a_bucket_is_its_last_request_with_a_trace(
    durations: RequestDurations, registry: CollectorRegistry
) -> None:
    for seconds, trace_id in ((0.1, "a"), (0.02, "b"), (0.03, None), (5, "c")):
        durations.observe("POST", "/predict", seconds, trace_id)
    durations.observe("POST", "/read", 0.001, "d")
    durations.flush()
    found = exemplars(durations, registry)
    assert {key: (exemplar.labels["trace_id"], exemplar.value) for key, exemplar in found.items()} == {
        ("/predict", "0.1"): ("b", 0.02),
        ("/predict", "+Inf"): ("c", 5),
        ("/read", "0.01"): ("d", 0.001),
    }


def test_without_traces_there_are_no_exemplars(durations: RequestDurations, registry: CollectorRegistry) -> None:
    durations.observe("POST", "/predict", 0.1, None)
    durations.flush()
    assert exemplars(durations, registry) == {}
