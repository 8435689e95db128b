import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from app.observability.process_metrics import ProcessMetrics, ProcessorTime, worker_ids


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Return another Python process, which waits."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own code
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def collect(*process_ids: int) -> dict[str, float]:
    return {
        sample.name: sample.value
        for metric in ProcessMetrics(lambda: process_ids).collect()
        for sample in metric.samples
    }


def test_all_values_but_the_start_time_are_sums_over_the_processes(child: subprocess.Popen[bytes]) -> None:
    own, other, both = collect(os.getpid()), collect(child.pid), collect(os.getpid(), child.pid)
    assert set(own) == {
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
    }
    assert both["process_start_time_seconds"] == own["process_start_time_seconds"] < time.time()
    for name in ("process_open_fds", "process_max_fds", "process_resident_memory_bytes"):
        assert both[name] == pytest.approx(own[name] + other[name], rel=0.05)


def test_a_process_that_has_ended_counts_nothing(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert collect(child.pid) == {}


def test_the_processor_time_is_that_of_this_process() -> None:
    registry = CollectorRegistry()
    processor_time = ProcessorTime(registry)
    for _ in range(2):
        before = time.process_time()
        processor_time.flush()
        counted = registry.get_sample_value("process_cpu_seconds_total")
        assert counted
        assert before <= counted <= time.process_time()


def test_without_a_folder_of_workers_this_process_is_the_only_one() -> None:
    assert worker_ids() == {os.getpid()}
