"""The metrics `process_*` of Prometheus' client libraries, as sums over all workers."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client on import; the supervisor sets it before it starts the workers."""

_START_TIME = "process_start_time_seconds"
_PROCESSOR_TIME = "process_cpu_seconds"


def worker_ids() -> set[int]:
    """Return the process ids of all workers, also of those that have died since the last worker started."""
    folder = os.environ.get(MULTIPROC_DIR)
    if folder is None:
        return {os.getpid()}
    return {int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("gauge_live*.db")}


class ProcessMetrics(Collector):
    """Reads memory, open files and start time of processes from `/proc`: nothing on systems without it."""

    def __init__(self, process_ids: Callable[[], Iterable[int]]) -> None:
        """Take a function that returns the ids of the processes. A process that has ended counts nothing."""
        self._process_ids = process_ids

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the sums over the processes, and the start time of the oldest."""
        values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for process_id in self._process_ids():
            for metric in ProcessCollector(pid=lambda: process_id, registry=None).collect():  # noqa: B023 - called here
                values[metric.name, metric.documentation].extend(sample.value for sample in metric.samples)
        for (name, documentation), each in values.items():
            if name != _PROCESSOR_TIME:
                yield GaugeMetricFamily(name, documentation, value=min(each) if name == _START_TIME else sum(each))


class ProcessorTime:
    """Counts the processor time of this process.

    A counter, so that the time of a worker that has died stays in the sum. Prometheus would take a sum that falls for a
    restart of the service.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(_PROCESSOR_TIME, "Total user and system CPU time spent in seconds.", registry=registry)
        self._counted = 0.0

    def flush(self) -> None:
        """Add the time since the last call to the Prometheus counter."""
        seconds = time.process_time()
        self._counter.inc(seconds - self._counted)
        self._counted = seconds
