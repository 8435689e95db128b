"""A job whose process dies when it reads a file with the content `crash`: it stands for a bug in a decoder."""

import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from app.score import parts
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

    parts.read_files = read_or_die
    return CrashingJob(*values)
