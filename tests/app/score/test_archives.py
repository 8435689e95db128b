import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from app.score.archives import ParquetSource, TarSource
from app.score.chunks import Source
from app.score.errors import ScoringError

LOCAL = LocalFileSystem()


def contents(source: Source) -> dict[str, bytes | str]:
    return {path: load() for path, _, load in source.entries()}


def pack(folder: Path, path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        tar.add(folder, arcname=".")
    return path


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_the_files_of_a_tar_file_are_pictures_but_hidden_ones(folder: Path, compression: str, seven: bytes) -> None:
    (folder / ".DS_Store").touch()
    (folder / "more" / "._b.png").touch()
    (folder / "link.png").symlink_to("a.png")
    path = pack(folder, folder.parent / "pictures.tar", f"w:{compression}")
    found = contents(TarSource(LOCAL, str(path), max_bytes=10_000))
    assert found == {"a.png": seven, "more/b.png": seven, "more/broken.png": seven[:50], "z.png": b""}


def test_of_a_large_file_no_more_is_read_than_shows_that_it_is_too_large(folder: Path) -> None:
    (folder / "a.png").write_bytes(bytes(1000))
    path = pack(folder, folder.parent / "pictures.tar", "w")
    assert contents(TarSource(LOCAL, str(path), max_bytes=10))["a.png"] == bytes(11)


@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_tar_file_that_ends_early_is_an_error(folder: Path, compression: str) -> None:
    path = pack(folder, folder.parent / "pictures.tar", f"w:{compression}")
    path.write_bytes(path.read_bytes()[:1200])
    with pytest.raises(ScoringError, match=r"pictures\.tar cannot be read: .*(end|truncated)"):
        contents(TarSource(LOCAL, str(path), max_bytes=10_000))


def test_what_is_no_tar_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"GIF89a" * 1000)
    with pytest.raises(ScoringError, match=r"a\.tar cannot be read"):
        contents(TarSource(LOCAL, str(path), max_bytes=10_000))


def write(file: Path, **columns: object) -> str:
    pq.write_table(pa.table(columns), file)
    return str(file)


def test_the_pictures_of_a_parquet_file_are_in_a_column_of_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", bytes=[b"1", b"2", None], label=[1, 2, 3])
    source = ParquetSource(LOCAL, path, column=None)
    assert source.count == 3
    assert contents(source) == {"0": b"1", "1": b"2", "2": b""}


def test_they_may_be_in_a_structure_and_have_paths(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=[{"bytes": b"1"}, {"bytes": None}], path=["x.png", "y.png"])
    assert contents(ParquetSource(LOCAL, path, column=None)) == {"x.png": b"1", "y.png": b""}


def test_the_column_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", bytes=[b"1"], scan=[b"2"])
    assert contents(ParquetSource(LOCAL, path, column="scan")) == {"0": b"2"}


@pytest.mark.parametrize("column", [None, "label", "none"])
def test_a_file_without_such_a_column_is_an_error_that_lists_its_columns(tmp_path: Path, column: str | None) -> None:
    path = write(tmp_path / "a.parquet", scan=[b"1"], label=[7])
    expected = rf"no column {column or 'image or bytes'} with .* It has scan \(binary\), label \(int64\)\. Name one"
    with pytest.raises(ScoringError, match=expected):
        ParquetSource(LOCAL, path, column=column)


def test_what_is_no_parquet_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(ScoringError, match=r"a\.parquet cannot be read"):
        ParquetSource(LOCAL, str(tmp_path / "a.parquet"), column=None)


def test_a_large_row_group_is_not_in_memory_at_once(tmp_path: Path) -> None:
    rows = [bytes([number]) * 200_000 for number in range(200)]
    path = tmp_path / "a.parquet"
    table = pa.table({"bytes": rows})
    pq.write_table(table, path, use_dictionary=False, compression=None, write_batch_size=5)  # pages of five pictures
    del table
    before = pa.total_allocated_bytes()
    entries = ParquetSource(LOCAL, str(path), column=None).entries()
    next(entries)
    assert pa.total_allocated_bytes() - before < 10_000_000
    assert sum(1 for _ in entries) == 199


def test_the_fingerprint_is_that_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", bytes=[b"1"])
    before = ParquetSource(LOCAL, path, column=None).fingerprint
    write(tmp_path / "a.parquet", bytes=[b"1", b"2"])
    assert ParquetSource(LOCAL, path, column=None).fingerprint != before
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    assert TarSource(LOCAL, str(tmp_path / "a.tar"), max_bytes=1).fingerprint
