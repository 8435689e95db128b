from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.score.chunks import Chunk, Picture, Scored
from app.score.job import Job
from app.score.output import Output
from app.score.processes import CRASHED, score_in_processes
from tests.app.score.conftest import MakeJob
from tests.app.score.crashing import CrashingJob

pytestmark = pytest.mark.slow


def picture(path: str, content: bytes) -> Picture:
    return Picture(path, len(content), content)


def rows(job: Job, number: int) -> list[dict[str, object]]:
    return list(pq.read_table(f"{job.out}.parts/part-{number:08}.parquet").to_pylist())


def test_chunks_are_scored_and_written_but_those_that_are_done(make_job: MakeJob, seven: bytes) -> None:
    job = make_job("memory://")
    Output(job.out).begin({})
    chunks = [
        Chunk(0, [picture("a", seven)], is_done=False),
        Chunk(1, [picture("b", b"")] * 3, is_done=True),
        Chunk(2, [picture("c", seven), picture("d", b"x")], is_done=False),
    ]
    scored = sorted(score_in_processes(job, chunks, 1))
    assert scored == [Scored(0, 1), Scored(1, 3, is_earlier=True), Scored(2, 2)]
    assert [row["path"] for row in rows(job, 2)] == ["c", "d"]
    assert rows(job, 0)[0]["digit"] == 7
    assert not Path(f"{job.out}.parts/part-00000001.parquet").exists()


@pytest.mark.parametrize("bug", [b"crash", b"hang"])
def test_a_picture_that_ends_its_process_is_a_row_with_an_error_and_the_others_are_scored(
    make_job: MakeJob, seven: bytes, bug: bytes
) -> None:
    job = make_job("memory://")
    job = CrashingJob(**{name: getattr(job, name) for name in Job.__dataclass_fields__})
    Output(job.out).begin({})
    chunks = [
        Chunk(0, [picture("a", seven), picture("b", bug), picture("c", seven)], is_done=False),
        Chunk(1, [picture("d", seven)], is_done=False),
    ]
    assert sorted(score_in_processes(job, chunks, 1)) == [Scored(0, 3), Scored(1, 1)]
    assert [row["error"] for row in rows(job, 0)] == [None, CRASHED, None]
    assert [row["digit"] for row in rows(job, 0) + rows(job, 1)] == [7, None, 7, 7]
