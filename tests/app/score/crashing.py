"""A job whose process dies at a file with the content `crash`, and hangs at `hang`: for bugs in a decoder."""

import os
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from app.score import parts, scorer
from app.score.job import Job


class CrashingJob(Job):
    """The job. A process that receives it is prepared to die."""

    def __reduce__(self) -> tuple[Callable[..., Job], tuple[Any, ...]]:
        return _restore, tuple(getattr(self, field.name) for field in fields(self))


def _restore(*values: Any) -> Job:  # noqa: ANN401
    real = parts.read_files

    def read_or_die(*arguments: Any) -> list[bytes | Exception]:  # noqa: ANN401
        files = real(*arguments)
        if b"crash" in files:
            os._exit(11)
        return files

    preprocess = scorer.preprocess_pictures

    def preprocess_or_hang(pictures: Any, **options: Any) -> Any:  # noqa: ANN401
        if b"hang" in (pictures := list(pictures)):
            time.sleep(60)
        return preprocess(pictures, **options)

    parts.read_files = read_or_die
    scorer.preprocess_pictures = preprocess_or_hang
    scorer.BATCH_SECONDS = 4
    return CrashingJob(*values)
