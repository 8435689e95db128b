"""The table of a run, and the folder with its parts, from which a killed run goes on. Scores nothing.

The part of a chunk is a Parquet file of its own in the folder `<table>.parts`, written whole or not at all. When all
parts are there, they are joined. A file of the folder describes the run, so that no other run goes on with it.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from app.score.errors import ScoringError
from app.score.files import PARTS
from app.score.sources import file_system

_RUN = "_run.json"
_METADATA = b"digitserve"
_GROUP_ROWS = 50_000
"""In a row group of the table: some ten megabytes of memory."""


class Summary(NamedTuple):
    """What is in a table."""

    rows: int
    errors: int


class Output:
    """A table at a path or a URL."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._files, self._path = file_system(address)
        self._parts = f"{self._path}{PARTS}"
        self._is_local = isinstance(self._files, LocalFileSystem)

    def begin(self, identity: Mapping[str, Any]) -> set[int] | None:
        """Begin a run, or go on with it.

        Args:
            identity: everything that the rows depend on.

        Returns:
            The numbers of the parts that are there already. None if the table itself is complete.

        Raises:
            ScoringError: if the table or the parts are those of another run, or cannot be written.

        """
        try:
            return self._begin(identity)
        except ScoringError:
            raise
        except Exception as error:  # each file system has errors of its own
            message = f"{self.address} cannot be written: {error}."
            raise ScoringError(message) from error

    def _begin(self, identity: Mapping[str, Any]) -> set[int] | None:
        exists = self._files.exists(self._path)
        if exists and self._read_identity() == identity:
            self.discard()
            return None
        if self._files.exists(f"{self._parts}/{_RUN}"):
            found = json.loads(self._files.cat_file(f"{self._parts}/{_RUN}"))
            if differences := _differences(found, identity):
                message = (
                    f"{self.address}{PARTS} has parts of another run: {differences}. Repeat the command of that run, "
                    "remove the folder, or name another --out."
                )
                raise ScoringError(message)
            names = (Path(name).name for name in self._files.ls(self._parts, detail=False))
            return {int(found[1]) for found in (re.fullmatch(r"part-(\d+)\.parquet", name) for name in names) if found}
        if exists:
            message = f"{self.address} exists, and is not the table of this run. Remove it, or name another --out."
            raise ScoringError(message)
        if self._is_local:
            Path(self._parts).mkdir(exist_ok=True)
        self._write(f"{self._parts}/{_RUN}", json.dumps(identity).encode())
        return set()

    def _read_identity(self) -> object:
        """Return what the table says of its run; None if it is no such table."""
        try:
            with self._files.open(self._path, "rb") as file:
                return json.loads(pq.read_schema(file).metadata[_METADATA])
        except (pa.ArrowException, KeyError, TypeError, ValueError):
            return None

    def write_part(self, number: int, table: pa.Table) -> None:
        """Write the part of a chunk."""
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        self._write(self._part(number), buffer.getvalue().to_pybytes())

    def join(self, count: int, identity: Mapping[str, Any]) -> Summary:
        """Join the parts 0 to `count` - 1 to the table, and remove them.

        Raises:
            ScoringError: if the table cannot be written.

        """
        try:
            with self._replaced_whole() as path:
                summary = self._join(count, identity, path)
            self.discard()
        except ScoringError:
            raise
        except Exception as error:  # each file system has errors of its own
            message = f"{self.address} cannot be written: {error}. Repeat the command when that is resolved."
            raise ScoringError(message) from error
        return summary

    def _join(self, count: int, identity: Mapping[str, Any], path: Path) -> Summary:
        schema = self._read_part(0).schema.with_metadata({_METADATA: json.dumps(identity)})
        rows = errors = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            group: list[pa.Table] = []
            for number in range(count):
                group.append(self._read_part(number))
                errors += pc.count(group[-1]["error"]).as_py()
                if sum(map(len, group)) >= _GROUP_ROWS or number == count - 1:
                    table = pa.concat_tables(group)
                    writer.write_table(table.cast(schema))
                    rows, group = rows + len(table), []
        return Summary(rows, errors)

    def _read_part(self, number: int) -> pa.Table:
        try:
            return pq.read_table(pa.BufferReader(self._files.cat_file(self._part(number))))
        except pa.ArrowException as error:
            message = f"{self._part(number)} is broken: {error}. Remove it, and repeat the command."
            raise ScoringError(message) from error

    def _part(self, number: int) -> str:
        return f"{self._parts}/part-{number:08}.parquet"

    def _write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        if self._is_local:
            hidden = Path(path).with_name(f".{Path(path).name}-{os.getpid()}")
            hidden.write_bytes(content)
            hidden.replace(path)
        else:
            self._files.pipe_file(path, content)  # writing an object to a bucket is atomic

    @contextmanager
    def _replaced_whole(self) -> Iterator[Path]:
        """Yield the path of a temporary file that becomes the table."""
        if self._is_local:
            hidden = Path(self._parts) / ".joined.parquet"
            yield hidden
            hidden.replace(self._path)
        else:
            with tempfile.TemporaryDirectory(prefix="digitserve-score-") as folder:
                yield Path(folder) / "joined.parquet"
                self._files.put_file(f"{folder}/joined.parquet", self._path)

    def discard(self) -> None:
        """Remove the parts."""
        if self._files.exists(self._parts):
            self._files.rm(self._parts, recursive=True)


def _differences(found: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Describe in what two runs differ; empty if in nothing."""
    changed = [key for key in identity if found.get(key) != identity[key]]
    if changed == ["pictures"]:
        return "the pictures have changed"
    return "; ".join(f"{key} was {found.get(key)}, and is {identity[key]}" for key in changed)
