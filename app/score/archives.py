"""The pictures in a tar file or in a Parquet file, read from the beginning to the end. Decodes no pictures."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from app.model_repository.artefact import printable
from app.score.chunks import Entry
from app.score.errors import ScoringError
from app.score.files import stamp_of

_BUFFER_BYTES = 1024**2
_BATCH_ROWS = 16
"""Of a Parquet file, in memory at a time."""
_COLUMNS = "image", "bytes"
"""Where the pictures are, unless the user names a column."""
_PATH = "path"


class TarSource:
    """The regular files of a tar file, compressed or not, except hidden ones. Links are left out."""

    count: int | None = None

    def __init__(self, files: AbstractFileSystem, address: str, *, max_bytes: int) -> None:
        """Take a tar file. Of a file with more than `max_bytes`, no more is read than shows that it is too large."""
        self._files = files
        self._address = address
        self._max_bytes = max_bytes
        self.fingerprint = _fingerprint(files, address)

    def entries(self) -> Iterator[Entry]:
        """Iterate over the files, whose paths are their names in the tar file."""
        with (
            _errors_named(self._address),
            self._files.open(self._address, "rb") as file,
            tarfile.open(fileobj=file, mode="r|*", bufsize=_BUFFER_BYTES) as tar,
        ):
            while (member := tar.next()) is not None:
                name = member.name.removeprefix("./")
                if member.isreg() and "/." not in f"/{name}":
                    yield Entry(printable(name), member.size, partial(self._read, tar, member))
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep a kilobyte of each file

    def _read(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        with _errors_named(self._address):
            file = tar.extractfile(member)
            return b"" if file is None else file.read(self._max_bytes + 1)


class ParquetSource:
    """The pictures in a column of a Parquet file: files as bytes, or structures with a field `bytes` of these."""

    def __init__(self, files: AbstractFileSystem, address: str, *, column: str | None) -> None:
        """Take a Parquet file and the name of the column; by default it is `image` or `bytes`.

        Raises:
            ScoringError: if it is no Parquet file, or has no such column.

        """
        self._files = files
        self._address = address
        with self._open() as file:
            schema = file.schema_arrow
            self.count: int | None = file.metadata.num_rows
        self._column = next((name for name in ([column] if column else _COLUMNS) if _has_files(schema, name)), "")
        if not self._column:
            message = (
                f"{address} has no column {column or ' or '.join(_COLUMNS)} with picture files as bytes. It has "
                f"{', '.join(f'{each.name} ({each.type})' for each in schema)}. Name one with --column."
            )
            raise ScoringError(message)
        self._has_paths = _PATH in schema.names
        self.fingerprint = _fingerprint(files, address)

    def entries(self) -> Iterator[Entry]:
        """Iterate over the rows, whose paths are those of a column `path`, or else their numbers, from 0."""
        columns = [self._column, _PATH] if self._has_paths else [self._column]
        row = 0
        with self._open() as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                pictures = batch.column(self._column)
                pictures = pictures.field("bytes") if pa.types.is_struct(pictures.type) else pictures
                paths = batch.column(_PATH) if self._has_paths else range(row, row + len(batch))
                for path, picture in zip(paths, pictures, strict=True):
                    content = picture.as_py() or b""
                    yield Entry(str(path), len(content), partial(bytes, content))
                row += len(batch)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        # With a buffer, a page of the column is in memory; otherwise that of a whole row group.
        with (
            _errors_named(self._address),
            self._files.open(self._address, "rb") as file,
            pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet,
        ):
            yield parquet


def _has_files(schema: pa.Schema, name: str) -> bool:
    """Tell whether a schema has a column of files with this name."""
    if name not in schema.names:
        return False
    type_ = schema.field(name).type
    if pa.types.is_struct(type_):
        return bool(type_.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _fingerprint(files: AbstractFileSystem, address: str) -> str:
    details = files.info(address)
    return f"{details['size']} {stamp_of(details)}"


@contextmanager
def _errors_named(address: str) -> Iterator[None]:
    """Name the archive in an error of reading it."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException, OSError) as error:
        message = f"{address} cannot be read: {error}."
        raise ScoringError(message) from error
