import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.observability.metrics import ServiceMetrics

pytestmark = pytest.mark.anyio

DURATIONS = "digitserve_http_request_duration_seconds"


def exposition(metrics: ServiceMetrics) -> list[str]:
    return metrics.exposition("text/plain")[0].decode().splitlines()


def test_events_are_counted_in_their_metrics() -> None:
    metrics = ServiceMetrics()
    metrics.begin_request()
    metrics.begin_request()
    metrics.end_request("POST", "/predict", 200, 0.002, "convnet", 3)
    metrics.count_problem("overloaded")
    metrics.observe_preprocessing(0.1)
    metrics.observe_finding(0.2)
    metrics.observe_queue_size(5)
    metrics.observe_queue_size(4)
    metrics.observe_queue_time(0.01)
    metrics.observe_batch(5, 0.001)
    metrics.count_prediction("convnet", 3, 7, None)
    metrics.count_prediction("convnet", 3, 8, "unsure")
    metrics.count_reading("convnet", 3, [None, "unsure", None])
    metrics.count_predicted_digits("convnet", 3, [2, 0, 5, *[0] * 7])
    lines = exposition(metrics)
    for line in (
        'digitserve_http_requests_total{method="POST",model="convnet",route="/predict",status="200",version="3"} 1.0',
        'digitserve_http_request_duration_seconds_sum{method="POST",route="/predict"} 0.002',
        'digitserve_refusals_total{reason="overloaded"} 1.0',
        'digitserve_stage_duration_seconds_sum{stage="total"} 0.002',
        'digitserve_stage_duration_seconds_sum{stage="read"} 0.1',
        'digitserve_stage_duration_seconds_sum{stage="find"} 0.2',
        'digitserve_stage_duration_seconds_sum{stage="queue"} 0.01',
        'digitserve_stage_duration_seconds_sum{stage="inference"} 0.001',
        'digitserve_batch_images_bucket{le="4.0"} 0.0',
        'digitserve_batch_images_bucket{le="8.0"} 1.0',
        'digitserve_predictions_total{digit="7",model="convnet",version="3"} 1.0',
        'digitserve_predictions_total{digit="2",model="convnet",version="3"} 5.0',
        'digitserve_abstentions_total{model="convnet",reason="unsure",version="3"} 1.0',
        'digitserve_readings_total{model="convnet",version="3"} 1.0',
        'digitserve_read_digits_total{model="convnet",reason="",version="3"} 2.0',
        'digitserve_read_digits_total{model="convnet",reason="unsure",version="3"} 1.0',
        "digitserve_http_requests_in_progress 1.0",
        "digitserve_queue_images 5.0",
    ):
        assert line in lines


def test_abstentions_are_counted_by_their_reason() -> None:
    metrics = ServiceMetrics()
    counts = {"blank": 1, "several_digits": 2, "not_a_digit": 3, "unsure": 4}
    for reason, count in counts.items():
        for _ in range(count):
            metrics.count_prediction("convnet", 3, 8, reason)
    metrics.count_prediction("convnet", 3, 8, None)
    counted = [line for line in exposition(metrics) if line.startswith("digitserve_abstentions_total")]
    assert sorted(counted) == sorted(
        f'digitserve_abstentions_total{{model="convnet",reason="{reason}",version="3"}} {count}.0'
        for reason, count in counts.items()
    )


def test_the_queue_size_is_the_maximum_since_the_last_flush() -> None:
    metrics = ServiceMetrics()
    metrics.observe_queue_size(5)
    assert "digitserve_queue_images 5.0" in exposition(metrics)
    assert "digitserve_queue_images 0.0" in exposition(metrics)


def test_each_event_is_counted_once_whenever_metrics_are_flushed() -> None:
    metrics = ServiceMetrics()
    for count in (1, 2):
        metrics.count_problem("overloaded")
        metrics.observe_preprocessing(0.1)
        for _ in range(2):
            lines = exposition(metrics)
            assert f'digitserve_refusals_total{{reason="overloaded"}} {count}.0' in lines
            assert f'digitserve_stage_duration_seconds_count{{stage="read"}} {count}.0' in lines


def test_the_buckets_of_durations_begin_below_the_shortest_stage_and_end_with_the_deadline() -> None:
    metrics = ServiceMetrics()
    metrics.observe_preprocessing(0.00003)
    bounds = [
        line.split('le="')[1].split('"')[0] for line in exposition(metrics) if 'stage="read"}' in line and "le=" in line
    ]
    assert (bounds[0], bounds[-2:]) == ("2.5e-05", ["10.0", "+Inf"])
    assert 'digitserve_stage_duration_seconds_bucket{le="2.5e-05",stage="read"} 0.0' in exposition(metrics)


def test_openmetrics_is_sent_if_it_is_accepted_and_has_the_traces_of_requests() -> None:
    metrics = ServiceMetrics()
    metrics.begin_request()
    metrics.end_request("POST", "/predict", 200, 0.002, "convnet", 3, trace_id="0af7651916cd43dd8448eb211c80319c")
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    exemplars = [sample.exemplar for sample in families[DURATIONS].samples if sample.exemplar]
    assert [(exemplar.labels, exemplar.value) for exemplar in exemplars] == [
        ({"trace_id": "0af7651916cd43dd8448eb211c80319c"}, 0.002)
    ]
    assert not any("0af7651916cd43dd" in line for line in exposition(metrics))  # text/plain has no exemplars


@pytest.mark.parametrize("version", ["abc", '"1.0.0"', "1.x", "1.0.0.0", "9" * 5000, ""])
@pytest.mark.parametrize("media_type", ["text/plain", "application/openmetrics-text"])
def test_a_format_version_that_is_not_numeric_is_ignored(media_type: str, version: str) -> None:
    assert (
        ServiceMetrics().exposition(f"{media_type}; version={version}")[1] == ServiceMetrics().exposition(media_type)[1]
    )


def test_each_application_has_its_own_metrics() -> None:
    first, second = ServiceMetrics(), ServiceMetrics()
    first.count_problem("overloaded")
    assert not any(line.startswith("digitserve_refusals_total{") for line in exposition(second))


def test_the_metrics_of_the_process_have_the_names_of_the_client_libraries() -> None:
    names = {line.split()[0] for line in exposition(ServiceMetrics()) if line.startswith("process_")}
    assert names - {"process_cpu_seconds_created"} == {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }


WORKER = """
import asyncio, os, signal
from app.observability.metrics import ServiceMetrics

async def work():
    async with ServiceMetrics() as metrics:
        metrics.begin_request()
        metrics.count_problem("overloaded")
        print(metrics.exposition(ACCEPT)[0].decode())
        metrics.count_problem("at-the-end")
        if KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        metrics.end_request("GET", "/", 200, 0.1, trace_id="a trace")
        if AGAIN:
            print(metrics.exposition(ACCEPT)[0].decode())

asyncio.run(work())
"""


def work(folder: Path, *, killed: bool = False, again: bool = False, accept: str = "text/plain") -> list[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", f"KILLED, AGAIN, ACCEPT = {killed}, {again}, {accept!r}\n{WORKER}"],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=not killed,
    ).stdout.splitlines()


def test_counts_of_several_workers_are_added_up(tmp_path: Path) -> None:
    for count in (1, 2):
        printed = work(tmp_path)
        assert f'digitserve_refusals_total{{reason="overloaded"}} {count}.0' in printed
        assert "digitserve_http_requests_in_progress 1.0" in printed
    assert (
        'digitserve_refusals_total{reason="at-the-end"} 1.0' in printed
    )  # counted by the first worker after its exposition


def test_a_killed_worker_keeps_its_counts_but_no_requests_in_progress(tmp_path: Path) -> None:
    work(tmp_path, killed=True)
    printed = work(tmp_path)
    assert 'digitserve_refusals_total{reason="overloaded"} 2.0' in printed
    assert "digitserve_http_requests_in_progress 1.0" in printed


def value(lines: list[str], name: str) -> float:
    return next(float(line.split()[1]) for line in lines if line.split()[0] == name)


def test_the_processor_time_of_workers_that_have_ended_stays_in_the_sum(tmp_path: Path) -> None:
    first, second = (work(tmp_path, killed=True), work(tmp_path))
    name = "process_cpu_seconds_total"
    assert value(second, name) > 1.5 * value(first, name) > 0
    assert value(second, "process_start_time_seconds") > value(first, "process_start_time_seconds")
    assert value(second, "process_resident_memory_bytes") < 1.5 * value(first, "process_resident_memory_bytes")


def test_several_workers_show_the_traces_of_the_worker_that_is_scraped(tmp_path: Path) -> None:
    work(tmp_path)
    printed = work(tmp_path, again=True, accept="application/openmetrics-text")
    line = next(line for line in reversed(printed) if line.startswith(f'{DURATIONS}_bucket{{le="0.1",'))
    assert line.split(" # ")[0].endswith(" 2.0")
    assert '# {trace_id="a trace"} 0.1 ' in line


async def test_metrics_are_flushed_regularly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.observability.metrics.FLUSH_SECONDS", 0.001)
    flushed = asyncio.Event()
    async with ServiceMetrics() as metrics:
        flush = metrics.flush
        monkeypatch.setattr(metrics, "flush", lambda: (flush(), flushed.set()))
        metrics.count_problem("overloaded")
        async with asyncio.timeout(10):
            await flushed.wait()
