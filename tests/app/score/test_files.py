import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from app.errors import TooLarge
from app.score.chunks import Picture
from app.score.files import FileSource, read_files

LOCAL = LocalFileSystem()


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[AbstractFileSystem, str]]:
    """Yield the same pictures on a disk and in another file system."""
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "c.png").touch()
    (folder / "more" / ".d.png").touch()
    if request.param == "disk":
        yield LOCAL, str(folder)
        return
    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/bucket/{path.relative_to(folder)}", path.read_bytes())
    yield memory, "/bucket"
    memory.rm("/bucket", recursive=True)


def listed(files: AbstractFileSystem, address: str, excluded: str | None = None) -> list[str]:
    return [entry.path for entry in FileSource(files, address, excluded=excluded).entries()]


def test_a_folder_stands_for_its_files_and_those_of_its_subfolders_but_hidden_ones(
    place: tuple[AbstractFileSystem, str],
) -> None:
    files, folder = place
    assert listed(files, folder) == ["a.png", "more/b.png", "more/broken.png", "z.png"]
    assert FileSource(files, folder, excluded=None).count == 4


def test_a_pattern_selects_files_whose_paths_begin_at_the_first_wildcard(place: tuple[AbstractFileSystem, str]) -> None:
    files, folder = place
    assert listed(files, f"{folder}/more/b*.png") == ["b.png", "broken.png"]
    assert listed(files, f"{folder}/**/*.png") == ["a.png", "more/b.png", "more/broken.png", "z.png"]
    assert listed(files, f"{folder}/none*") == []


def test_a_single_file_is_a_source(place: tuple[AbstractFileSystem, str]) -> None:
    files, folder = place
    assert listed(files, f"{folder}/more/b.png") == ["b.png"]


def test_the_table_and_its_parts_are_left_out(place: tuple[AbstractFileSystem, str]) -> None:
    files, folder = place
    for name in ("a.parquet", "a.parquet.parts/part-00000000.parquet", "a.parquet2.png"):
        files.makedirs(f"{folder}/a.parquet.parts", exist_ok=True)
        files.pipe_file(f"{folder}/{name}", b"")
    found = listed(files, folder, excluded=f"{folder}/a.parquet")
    assert found == ["a.parquet2.png", "a.png", "more/b.png", "more/broken.png", "z.png"]


def test_the_fingerprint_changes_with_a_file(place: tuple[AbstractFileSystem, str]) -> None:
    files, folder = place
    before = FileSource(files, folder, excluded=None).fingerprint
    assert FileSource(files, folder, excluded=None).fingerprint == before
    files.pipe_file(f"{folder}/z.png", b"z")
    assert FileSource(files, folder, excluded=None).fingerprint != before


def test_files_are_read_where_they_are(place: tuple[AbstractFileSystem, str], seven: bytes) -> None:
    files, folder = place
    entries = FileSource(files, folder, excluded=None).entries()
    pictures = [Picture(path, size, load()) for path, size, load in entries]
    assert read_files(files, pictures, 10_000) == [seven, seven, seven[:50], b""]


def test_a_file_that_cannot_be_read_is_an_error_of_its_picture(place: tuple[AbstractFileSystem, str]) -> None:
    files, folder = place
    pictures = [Picture("a", 1, f"{folder}/gone.png"), Picture("b", 11, f"{folder}/a.png"), Picture("c", 2, b"ok")]
    gone, large, loaded = read_files(files, pictures, 10)
    assert str(gone).startswith("The file cannot be read: ")
    assert isinstance(large, TooLarge)
    assert str(large) == "The file has more than 10 bytes, which is the limit."
    assert loaded == b"ok"


def test_links_to_files_are_followed_and_what_is_no_file_is_left_out(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder / "a.png")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    os.mkfifo(folder / "pipe.png")
    assert listed(LOCAL, str(folder)) == ["a.png", "link.png", "more/b.png", "more/broken.png", "z.png"]


def test_a_name_that_is_not_utf_8_is_escaped_and_its_file_is_read(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"1")
    ((path, size, load),) = FileSource(LOCAL, str(tmp_path), excluded=None).entries()
    assert path == "\\udcff.png"
    assert read_files(LOCAL, [Picture(path, size, load())], 10) == [b"1"]
