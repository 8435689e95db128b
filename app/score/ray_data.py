"""Scores chunks on a Ray cluster, with Ray Data: one task reads the source, and a pool of actors scores the chunks.

The actors write the parts of the table, so all machines need the same models, and must reach the pictures and the table
under the same addresses. Imported only if it is used: Ray is optional.
"""

import logging
import pickle
import re
import socket
from collections.abc import Container, Generator, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.exceptions import RayError

from app.score.chunks import Chunk, Scored, divide
from app.score.errors import ScoringError
from app.score.job import Job
from app.score.processes import Pool
from app.score.sources import open_source

Batch = dict[str, NDArray[Any]]
"""Arrays by the names of columns. They are read-only: they lie in the memory that the processes of a machine share."""

_HOST_AND_PORT = re.compile(r"(?:ray://)?([^/:]+):(\d{1,5})")
_CONNECT_SECONDS = 10.0


def score_on_ray(job: Job, done: Container[int], address: str, actors: int | None) -> Generator[Scored]:
    """Score the chunks that are not done, and write their parts. Yields each chunk when its part is written.

    Args:
        job: the job.
        done: the numbers of the chunks whose parts are written.
        address: of the cluster.
        actors: how many processes score; None for one on each CPU of the cluster.

    Raises:
        ScoringError: if there is no such cluster, or its processes fail.

    """
    _connect(address)
    try:
        for row in _score(job, done, actors).iter_rows():
            yield Scored(int(row["number"]), int(row["pictures"]), bool(row["is_earlier"]))
    except RayError as error:
        message = f"A process of the Ray cluster failed: {str(error).strip().splitlines()[-1]}"
        raise ScoringError(message) from error
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    """Connect to a cluster, or start one.

    Raises:
        ScoringError: if there is no such cluster.

    """
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what fails is raised
    try:
        if found := _HOST_AND_PORT.fullmatch(address):  # Ray would try it for minutes
            socket.create_connection((found[1], int(found[2])), _CONNECT_SECONDS).close()
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
    except Exception as error:  # Ray has many
        message = f"There is no Ray cluster at {address}: {error}"
        raise ScoringError(message) from error


def _score(job: Job, done: Container[int], actors: int | None) -> Any:  # noqa: ANN401 - Ray has no types
    """Return the chunks as rows of a Ray dataset, which are scored when they are iterated over."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block for each chunk, or one actor would get all of them
    chunks = ray.data.read_datasource(_ChunkSource(job, done), num_cpus=0, override_num_blocks=1)
    size = actors or int(ray.cluster_resources()["CPU"])  # type: ignore[no-untyped-call]
    return chunks.map_batches(
        _Actor,
        fn_constructor_args=[job],
        batch_size=1,
        batch_format="numpy",
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2),
    )


class _Actor:
    """Scores chunks in a process of its own: Ray would repeat what crashes an actor again and again."""

    def __init__(self, job: Job) -> None:
        self._pool = Pool(job, 1)

    def __call__(self, batch: Batch) -> Batch:
        scored = [self._score(pickle.loads(pickled)) for pickled in batch["chunk"]]  # noqa: S301 - from `_ChunkSource`
        return {name: np.array(column) for name, column in zip(Scored._fields, zip(*scored, strict=True), strict=True)}

    def _score(self, chunk: Chunk) -> Scored:
        if chunk.is_done:
            return Scored(chunk.number, len(chunk.pictures), is_earlier=True)
        self._pool.begin(chunk)
        (scored,) = self._pool.finish()
        return scored


class _ChunkSource(Datasource):
    """The chunks of a source, pickled, each as a row."""

    def __init__(self, job: Job, done: Container[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._job = job
        self._done = done

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, *_: object, **__: object) -> list[ReadTask]:
        metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(self._read, metadata)]

    def _read(self) -> Iterator[pa.Table]:
        for chunk in divide(open_source(self._job), self._done):
            yield pa.table({"chunk": [pickle.dumps(chunk)]})
