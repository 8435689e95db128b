"""Scores the pictures of one chunk in this process, and writes its part of the table."""

from collections.abc import Sequence
from typing import Self

from app.score.chunks import Chunk, Picture
from app.score.files import read_files
from app.score.job import Job
from app.score.output import Output
from app.score.scorer import Row, Scorer
from app.score.sources import file_system
from app.score.table import make_table


class PartScorer:
    """Scores chunks of one job with models that are loaded once. As a context manager, frees them at the end."""

    def __init__(self, job: Job) -> None:
        """Load the models.

        Raises:
            ServiceError: if one of them cannot be loaded.

        """
        self._job = job
        self._scorer = Scorer(job)
        self._files, _ = file_system(job.source)
        self._output = Output(job.out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scorer.close()

    def score(self, pictures: Sequence[Picture]) -> list[Row]:
        """Return the row of each picture."""
        return self._scorer.score(read_files(self._files, pictures, self._job.settings.max_body_bytes))

    def write(self, chunk: Chunk) -> None:
        """Score a chunk and write its part."""
        self._output.write_part(chunk.number, make_table(self._job, chunk.pictures, self.score(chunk.pictures)))
