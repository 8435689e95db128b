from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.score import output as module
from app.score.errors import ScoringError
from app.score.output import Output, Summary

RUN = {"model": "convnet", "pictures": "1"}


@pytest.fixture(params=["disk", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a table, on a disk and in another file system."""
    if request.param == "disk":
        yield str(tmp_path / "results.parquet")
        return
    yield "memory://bucket/results.parquet"
    files = fsspec.filesystem("memory")
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


def part(*paths: str) -> pa.Table:
    return pa.table({"path": paths, "error": pa.array([None] * (len(paths) - 1) + ["broken"], pa.string())})


def read(address: str) -> list[str]:
    with fsspec.open(address) as file:
        return list(pq.read_table(file)["path"].to_pylist())


def test_parts_are_joined_in_the_order_of_their_numbers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GROUP_ROWS", 3)
    output = Output(address)
    assert output.begin(RUN) == set()
    for number in (2, 0, 1):
        output.write_part(number, part(f"{number}a", f"{number}b"))
    assert output.join(3, RUN) == Summary(6, 3)
    assert read(address) == ["0a", "0b", "1a", "1b", "2a", "2b"]
    files, path = fsspec.url_to_fs(address)
    assert [name.rpartition("/")[2] for name in files.ls(files._parent(path), detail=False)] == ["results.parquet"]


def test_a_run_goes_on_with_the_parts_that_are_there(address: str) -> None:
    Output(address).begin(RUN)
    Output(address).write_part(1, part("b"))
    assert Output(address).begin(RUN) == {1}


def test_half_a_part_is_no_part(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "results.parquet"))
    output.begin(RUN)
    (tmp_path / "results.parquet.parts" / ".part-00000001.parquet-77").write_bytes(b"half")
    assert output.begin(RUN) == set()


def test_another_run_does_not_go_on_with_them(address: str) -> None:
    Output(address).begin(RUN)
    with pytest.raises(ScoringError, match=r"parts of another run: model was convnet, and is softmax\. Repeat"):
        Output(address).begin({**RUN, "model": "softmax"})
    with pytest.raises(ScoringError, match="parts of another run: the pictures have changed"):
        Output(address).begin({**RUN, "pictures": "2"})


def test_a_complete_table_is_not_made_again(address: str) -> None:
    output = Output(address)
    output.begin(RUN)
    output.write_part(0, part("a"))
    output.join(1, RUN)
    assert Output(address).begin(RUN) is None
    with pytest.raises(ScoringError, match="exists, and is not the table of this run"):
        Output(address).begin({**RUN, "pictures": "2"})


def test_a_run_that_was_killed_before_it_removed_the_parts_is_complete(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(address)
    output.begin(RUN)
    output.write_part(0, part("a"))
    with monkeypatch.context() as patch:
        patch.setattr(Output, "discard", lambda _: None)
        output.join(1, RUN)
    files, path = fsspec.url_to_fs(address)
    assert files.exists(f"{path}.parts")
    assert output.begin(RUN) is None
    assert not files.exists(f"{path}.parts")


def test_a_file_that_is_no_table_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_text("mine")
    with pytest.raises(ScoringError, match="Remove it, or name another"):
        Output(str(path)).begin(RUN)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["gone/results.parquet", "file/results.parquet"])
def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScoringError, match=r"results\.parquet cannot be written: .*"):
        Output(str(tmp_path / name)).begin(RUN)


def test_a_part_that_is_broken_is_an_error_that_names_it(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "results.parquet"))
    output.begin(RUN)
    (tmp_path / "results.parquet.parts" / "part-00000000.parquet").write_bytes(b"")
    with pytest.raises(ScoringError, match=r"part-00000000\.parquet.*Remove"):
        output.join(1, RUN)
    assert not (tmp_path / "results.parquet").exists()
