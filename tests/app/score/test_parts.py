from pathlib import Path

import pyarrow.parquet as pq

from app.score.chunks import Chunk, Picture
from app.score.output import Output
from app.score.parts import PartScorer
from tests.app.score.conftest import MakeJob


def test_the_part_of_a_chunk_has_a_row_for_each_picture(folder: Path, make_job: MakeJob) -> None:
    job = make_job(folder)
    Output(job.out).begin({})
    names = ("z.png", "a.png", "more/broken.png", "gone.png")
    pictures = [Picture(name, 1, str(folder / name)) for name in names]
    with PartScorer(job) as scorer:
        scorer.write(Chunk(3, pictures, is_done=False))
    rows = pq.read_table(f"{job.out}.parts/part-00000003.parquet").to_pylist()
    assert [row["path"] for row in rows] == list(names)
    assert [row["digit"] for row in rows] == [None, 7, None, None]
    assert [bool(row["error"]) for row in rows] == [True, False, True, True]
