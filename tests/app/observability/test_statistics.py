import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.observability.statistics import (
    Duration,
    Execution,
    RequestTimes,
    Statistics,
    VersionStatistics,
)

TIMES = RequestTimes(total=0.5, compute_input=0.125, queue=0.0625, compute_output=0.03125)


def record(statistics: Statistics, name: str, version: int, images: int, *executions: Execution) -> None:
    statistics.record_success(name, version, images=images, times=TIMES, executions=executions)


@pytest.fixture(params=["in memory", "in files"])
def statistics(request: pytest.FixtureRequest, tmp_path: Path) -> Statistics:
    return Statistics(tmp_path if request.param == "in files" else None)


def test_each_version_has_its_own_counts(statistics: Statistics) -> None:
    record(statistics, "softmax", 1, 10, Execution(12, 0.25, is_counted=True))
    record(statistics, "softmax", 1, 2, Execution(12, 0.25, is_counted=False))
    statistics.record_failure("softmax", 1, seconds=1.0)
    counts = statistics.get("softmax", 1)
    assert (counts.images, counts.executions) == (12, 1)
    assert counts.stages == {
        "success": Duration(2, 1_000_000_000),
        "fail": Duration(1, 1_000_000_000),
        "queue": Duration(2, 125_000_000),
        "compute_input": Duration(2, 250_000_000),
        "compute_infer": Duration(2, 500_000_000),
        "compute_output": Duration(2, 62_500_000),
    }
    assert counts.last_inference > 1_600_000_000_000
    for other in (("softmax", 2), ("softmax", 11), ("softmax,1", 1), ("softma", 1)):
        assert statistics.get(*other) == VersionStatistics()


def test_batches_are_counted_by_their_size(statistics: Statistics) -> None:
    executions = [Execution(32, 0.25, is_counted=True), Execution(8, 0.125, is_counted=True)]
    record(statistics, "softmax", 1, 40, *executions)
    record(statistics, "softmax", 1, 1, Execution(8, 0.5, is_counted=True))
    record(statistics, "softmax", 1, 1000, Execution(1000, 0.5, is_counted=True))
    sizes = statistics.get("softmax", 1).batch_sizes
    assert {size: stages["compute_infer"] for size, stages in sizes.items()} == {
        8: Duration(2, 625_000_000),
        32: Duration(1, 250_000_000),
        128: Duration(1, 500_000_000),
    }
    assert sizes[32]["compute_input"] == Duration(1, 62_500_000)
    assert sizes[8]["compute_output"] == Duration(2, 15_625_000 + 31_250_000)


def test_the_workers_are_added_up_and_a_dead_one_stays(tmp_path: Path) -> None:
    script = (
        "from app.observability.statistics import *\nimport os, sys\n"
        "statistics = Statistics.shared_by_workers()\n"
        "times = RequestTimes(total=0.5, compute_input=0, queue=0, compute_output=0)\n"
        "statistics.record_success('m/../[1]', 3, images=7, times=times, executions=[Execution(7, 0.5, True)])\n"
        "os._exit(statistics.get('m/../[1]', 3).images)\n"
    )
    env = {**os.environ, "DIGITSERVE_STATISTICS_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    codes = [subprocess.run(command, env=env, check=False).returncode for _ in range(2)]  # noqa: S603 - the command above
    assert codes == [7, 14]
    statistics = Statistics(tmp_path)
    record(statistics, "m/../[1]", 3, 1, Execution(1, 0.25, is_counted=True))
    counts = statistics.get("m/../[1]", 3)
    assert (counts.images, counts.executions, counts.stages["success"].count) == (15, 3, 3)
    assert sorted(counts.batch_sizes) == [1, 7]


def test_a_file_that_is_not_complete_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "softmax,1,7").write_bytes(bytes(9))
    assert Statistics(tmp_path).get("softmax", 1) == VersionStatistics()


def test_requests_are_counted_in_memory_if_no_file_can_be_made(tmp_path: Path) -> None:
    statistics = Statistics(tmp_path / "missing")
    record(statistics, "softmax", 1, 3, Execution(3, 0.25, is_counted=True))
    assert statistics.get("softmax", 1).images == 3
