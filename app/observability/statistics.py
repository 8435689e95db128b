"""Counts the requests of the tensor protocols by model version, in all workers. Knows no protocol.

Each worker has a file of counts for each version, in a folder that all workers share, and maps it into memory. So the
other workers see a count at once, and it stays if the worker dies. Without a folder, the counts are in memory alone.
"""

import mmap
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

import structlog

_FOLDER = "DIGITSERVE_STATISTICS_DIR"  # set by the supervisor for several workers

STAGES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
_BATCH_STAGES = ("compute_input", "compute_infer", "compute_output")

# The layout of the counts of a version: signed integers of 8 bytes.
_IMAGES, _EXECUTIONS, _LAST_INFERENCE, _FIRST_STAGE = range(4)
_FIRST_BATCH_SIZE = _FIRST_STAGE + 2 * len(STAGES)
_PER_BATCH_SIZE = 1 + len(_BATCH_STAGES)
_MAX_BATCH_SIZE = 128
"""Larger batches are counted as this size. The engines have smaller ones."""
_SIZE = _FIRST_BATCH_SIZE + _PER_BATCH_SIZE * _MAX_BATCH_SIZE
_COUNT_BYTES = 8

_log = structlog.get_logger()


class Execution(NamedTuple):
    """A run of the engine that scored images of a request."""

    images: int
    """In the whole batch, also those of other requests."""
    seconds: float
    is_counted: bool
    """Whether this request counts it. Of several requests in one batch, one does."""


@dataclass(frozen=True)
class RequestTimes:
    """What a successful request took, in seconds, besides the executions."""

    total: float
    compute_input: float
    """To parse the request, and to preprocess its pictures."""
    queue: float
    """To wait for the engine."""
    compute_output: float
    """To write the response."""


@dataclass
class Duration:
    """A number of requests or executions, and how long they took together."""

    count: int = 0
    nanoseconds: int = 0


@dataclass
class VersionStatistics:
    """The counts of one version since the service started."""

    images: int = 0
    """The number of images of successful requests."""
    executions: int = 0
    """The number of batches in which they were scored."""
    last_inference: int = 0
    """The time of the last successful request, in milliseconds since 1970; 0 if there was none."""
    stages: dict[str, Duration] = field(default_factory=lambda: {stage: Duration() for stage in STAGES})
    """The requests by outcome, and the successful ones by stage."""
    batch_sizes: dict[int, dict[str, Duration]] = field(default_factory=dict)
    """The executions by the number of images in the batch, and their stages."""


class Statistics:
    """The statistics of all versions that have received a request. Belongs to one event loop."""

    def __init__(self, folder: Path | None = None) -> None:
        """Count in files of `folder`, which other workers add up too, or in memory without a folder."""
        self._folder = folder
        self._own: dict[tuple[str, int], memoryview] = {}
        self._in_memory: dict[tuple[str, int], memoryview] = {}

    @classmethod
    def shared_by_workers(cls) -> Self:
        """Count in the folder that the supervisor made for its workers; in memory if there is none."""
        folder = os.environ.get(_FOLDER)
        return cls(Path(folder) if folder else None)

    def get(self, name: str, version: int) -> VersionStatistics:
        """Return the statistics of one version, of all workers together."""
        parts = [[0] * _SIZE, *self._read(name, version)]
        total = [sum(column) for column in zip(*parts, strict=True)]
        statistics = VersionStatistics(total[_IMAGES], total[_EXECUTIONS], max(part[_LAST_INFERENCE] for part in parts))
        for index, stage in enumerate(STAGES):
            start = _FIRST_STAGE + 2 * index
            statistics.stages[stage] = Duration(*total[start : start + 2])
        for images in range(1, _MAX_BATCH_SIZE + 1):
            start = _start_of_batch_size(images)
            count, *nanoseconds = total[start : start + _PER_BATCH_SIZE]
            if count:
                stages = zip(_BATCH_STAGES, nanoseconds, strict=True)
                statistics.batch_sizes[images] = {stage: Duration(count, each) for stage, each in stages}
        return statistics

    def _read(self, name: str, version: int) -> Iterator[Sequence[int]]:
        """Yield the counts of each worker."""
        if (name, version) in self._in_memory:
            yield self._in_memory[name, version].tolist()
        if self._folder is not None:
            for path in self._folder.glob(f"{_file_name(name, version)}*"):
                data = path.read_bytes()
                if len(data) == _SIZE * _COUNT_BYTES:  # otherwise a worker is just making the file
                    yield array("q", data)

    def record_success(
        self, name: str, version: int, *, images: int, times: RequestTimes, executions: Sequence[Execution]
    ) -> None:
        """Count a successful request with its images, and the executions that no other request counts."""
        counts = self._counts_of(name, version)
        counts[_IMAGES] += images
        counts[_LAST_INFERENCE] = time.time_ns() // 1_000_000
        seconds = {
            "success": times.total,
            "queue": times.queue,
            "compute_input": times.compute_input,
            "compute_infer": sum(execution.seconds for execution in executions),
            "compute_output": times.compute_output,
        }
        for stage, each in seconds.items():
            _add(counts, stage, each)
        counted = [execution for execution in executions if execution.is_counted]
        counts[_EXECUTIONS] += len(counted)
        for execution in counted:
            start = _start_of_batch_size(min(execution.images, _MAX_BATCH_SIZE))
            counts[start] += 1
            for offset, stage in enumerate(_BATCH_STAGES, 1):
                each = execution.seconds if stage == "compute_infer" else seconds[stage] / len(counted)
                counts[start + offset] += int(each * 1e9)

    def record_failure(self, name: str, version: int, *, seconds: float) -> None:
        """Count a failed request."""
        _add(self._counts_of(name, version), "fail", seconds)

    def _counts_of(self, name: str, version: int) -> memoryview:
        """Return the counts of this worker."""
        key = name, version
        if key not in self._own:
            counts = (
                None if self._folder is None else _map_file(self._folder / f"{_file_name(name, version)}{os.getpid()}")
            )
            if counts is None:
                counts = self._in_memory[key] = memoryview(bytearray(_SIZE * _COUNT_BYTES)).cast("q")
            self._own[key] = counts
        return self._own[key]


def _map_file(path: Path) -> memoryview | None:
    """Map a file of counts into memory, and make it if it does not exist; return None if that is impossible."""
    try:
        with path.open("a+b") as file:  # a worker that died may have had the same process id: its counts stay
            file.write(bytes(_SIZE * _COUNT_BYTES - file.tell()))  # not a hole: a full disk would end the process later
            file.flush()
            return memoryview(mmap.mmap(file.fileno(), _SIZE * _COUNT_BYTES)).cast("q")
    except OSError as error:
        _log.error("statistics are not shared by the workers", file=str(path), reason=str(error))
        return None


def _file_name(name: str, version: int) -> str:
    """Return the first part of the names of the files of a version. The process id of the worker follows."""
    return f"{quote(name, safe='')},{version},"


def _start_of_batch_size(images: int) -> int:
    return _FIRST_BATCH_SIZE + _PER_BATCH_SIZE * (images - 1)


def _add(counts: memoryview, stage: str, seconds: float) -> None:
    start = _FIRST_STAGE + 2 * STAGES.index(stage)
    counts[start] += 1
    counts[start + 1] += int(seconds * 1e9)
