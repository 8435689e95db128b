"""Opens a source of pictures by its address. Decodes no pictures."""

import re

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from app.score.archives import ParquetSource, TarSource
from app.score.chunks import Source
from app.score.errors import ScoringError
from app.score.files import FileSource
from app.score.job import Job

_TAR = re.compile(r"\.(tar|tar\.(gz|bz2|xz)|tgz|tbz2|txz)$", re.IGNORECASE)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)


def file_system(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a path or a URL, and the address there.

    Raises:
        ScoringError: if there is no such file system, or its package is not installed.

    """
    try:
        files, path = url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        message = f"{address} has no file system: {error}."
        raise ScoringError(message) from error
    return files, str(path)


def open_source(job: Job) -> Source:
    """Open the folder, pattern, tar file, Parquet file or picture of a job. The table may lie within the folder.

    Raises:
        ScoringError: if there are no pictures, or they cannot be listed.

    """
    files, path = file_system(job.source)
    out_files, out_path = file_system(job.out)
    try:
        source: Source
        if files.isfile(path) and _TAR.search(path):
            source = TarSource(files, path, max_bytes=job.settings.max_body_bytes)
        elif files.isfile(path) and _PARQUET.search(path):
            source = ParquetSource(files, path, column=job.column)
        else:
            source = FileSource(files, path, excluded=out_path if out_files == files else None)
    except ScoringError:
        raise
    except Exception as error:  # each file system has errors of its own
        message = f"{job.source} cannot be listed: {error}."
        raise ScoringError(message) from error
    if source.count == 0:
        raise no_pictures(job)
    return source


def no_pictures(job: Job) -> ScoringError:
    """Return the error of a source without pictures."""
    return ScoringError(
        f"{job.source} has no pictures. Expected a folder with files, a pattern that matches some, a tar file or a "
        "Parquet file."
    )
