import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from app.observability.metrics import ServiceMetrics

pytestmark = pytest.mark.anyio


def exposition(metrics: ServiceMetrics) -> list[str]:
    return metrics.exposition("text/plain")[0].decode().splitlines()


def test_what_is_told_is_counted() -> None:
    metrics = ServiceMetrics()
    metrics.began()
    metrics.began()
    metrics.answered("POST", "/predict", 200, 0.002, "convnet", 3)
    metrics.refused("overloaded")
    metrics.read(0.1)
    metrics.waiting(5)
    metrics.waiting(4)
    metrics.queued(0.01)
    metrics.inferred(5, 0.001)
    metrics.predicted("convnet", 3, 7, None)
    metrics.predicted("convnet", 3, 8, "unsure")
    metrics.predicted_several("convnet", 3, [2, 0, 5, *[0] * 7])
    lines = exposition(metrics)
    for line in (
        'digitserve_http_requests_total{method="POST",model="convnet",route="/predict",status="200",version="3"} 1.0',
        'digitserve_refusals_total{reason="overloaded"} 1.0',
        'digitserve_stage_duration_seconds_sum{stage="total"} 0.002',
        'digitserve_stage_duration_seconds_sum{stage="read"} 0.1',
        'digitserve_stage_duration_seconds_sum{stage="queue"} 0.01',
        'digitserve_stage_duration_seconds_sum{stage="inference"} 0.001',
        'digitserve_batch_images_bucket{le="4.0"} 0.0',
        'digitserve_batch_images_bucket{le="8.0"} 1.0',
        'digitserve_predictions_total{digit="7",model="convnet",version="3"} 1.0',
        'digitserve_predictions_total{digit="2",model="convnet",version="3"} 5.0',
        'digitserve_abstentions_total{model="convnet",reason="unsure",version="3"} 1.0',
        "digitserve_http_requests_in_progress 1.0",
        "digitserve_queue_images 5.0",
    ):
        assert line in lines


def test_the_queues_depth_is_the_deepest_of_the_last_moment_only() -> None:
    metrics = ServiceMetrics()
    metrics.waiting(5)
    assert "digitserve_queue_images 5.0" in exposition(metrics)
    assert "digitserve_queue_images 0.0" in exposition(metrics)


def test_nothing_counted_is_lost_or_counted_twice() -> None:
    metrics = ServiceMetrics()
    for count in (1, 2):
        metrics.refused("overloaded")
        metrics.read(0.1)
        for _ in range(2):
            lines = exposition(metrics)
            assert f'digitserve_refusals_total{{reason="overloaded"}} {count}.0' in lines
            assert f'digitserve_stage_duration_seconds_count{{stage="read"}} {count}.0' in lines


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    body, content_type = ServiceMetrics().exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("version", ["abc", '"1.0.0"', "1.x", "1.0.0.0", "9" * 5000, ""])
@pytest.mark.parametrize("media_type", ["text/plain", "application/openmetrics-text"])
def test_a_version_that_is_not_numbers_is_passed_over(media_type: str, version: str) -> None:
    assert (
        ServiceMetrics().exposition(f"{media_type}; version={version}")[1] == ServiceMetrics().exposition(media_type)[1]
    )


def test_applications_count_apart() -> None:
    first, second = ServiceMetrics(), ServiceMetrics()
    first.refused("overloaded")
    assert not any(line.startswith("digitserve_refusals_total{") for line in exposition(second))


WORKER = """
import asyncio, os, signal
from app.observability.metrics import ServiceMetrics

async def work():
    async with ServiceMetrics() as metrics:
        metrics.began()
        metrics.refused("overloaded")
        print(metrics.exposition("text/plain")[0].decode())
        metrics.refused("at-the-end")
        if KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        metrics.answered("GET", "/", 200, 0.1)

asyncio.run(work())
"""


def work(folder: Path, *, killed: bool = False) -> list[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", f"KILLED = {killed}\n{WORKER}"],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=not killed,
    ).stdout.splitlines()


def test_workers_are_added_up(tmp_path: Path) -> None:
    for count in (1, 2):
        printed = work(tmp_path)
        assert f'digitserve_refusals_total{{reason="overloaded"}} {count}.0' in printed
        assert "digitserve_http_requests_in_progress 1.0" in printed
    assert 'digitserve_refusals_total{reason="at-the-end"} 1.0' in printed  # the first worker's last


def test_a_killed_workers_counts_stay_and_its_requests_are_in_progress_no_longer(tmp_path: Path) -> None:
    work(tmp_path, killed=True)
    printed = work(tmp_path)
    assert 'digitserve_refusals_total{reason="overloaded"} 2.0' in printed
    assert "digitserve_http_requests_in_progress 1.0" in printed


async def test_what_was_counted_reaches_the_metrics_within_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.observability.metrics.FLUSH_SECONDS", 0.001)
    flushed = asyncio.Event()
    async with ServiceMetrics() as metrics:
        flush = metrics.flush
        monkeypatch.setattr(metrics, "flush", lambda: (flush(), flushed.set()))
        metrics.refused("overloaded")
        async with asyncio.timeout(10):
            await flushed.wait()
