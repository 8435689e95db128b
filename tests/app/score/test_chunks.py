from collections.abc import Iterator

import pytest

from app.score import chunks
from app.score.chunks import Chunk, Entry, divide


class Numbers:
    """A source of files with these sizes, which records what is loaded."""

    fingerprint = ""
    count: int | None = None

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes
        self.loaded: list[int] = []

    def entries(self) -> Iterator[Entry]:
        for number, size in enumerate(self.sizes):

            def load(number: int = number) -> bytes:
                self.loaded.append(number)
                return b"%d" % number

            yield Entry(str(number), size, load)


def paths(found: Iterator[Chunk]) -> list[list[str]]:
    return [[picture.path for picture in chunk.pictures] for chunk in found]


def test_a_chunk_has_at_most_so_many_pictures_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_PICTURES", 3)
    monkeypatch.setattr(chunks, "MAX_BYTES", 10)
    source = Numbers(1, 1, 1, 1, 9, 1, 50, 4, 6)
    assert paths(divide(source, ())) == [["0", "1", "2"], ["3", "4"], ["5"], ["6"], ["7", "8"]]


def test_what_is_done_keeps_its_number_and_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_PICTURES", 2)
    source = Numbers(1, 1, 1, 1, 1)
    found = list(divide(source, {1}))
    assert [(chunk.number, len(chunk.pictures), chunk.is_done) for chunk in found] == [
        (0, 2, False),
        (1, 2, True),
        (2, 1, False),
    ]
    assert source.loaded == [0, 1, 4]
    assert [picture.content for picture in found[0].pictures] == [b"0", b"1"]


def test_a_source_without_pictures_has_no_chunks() -> None:
    assert list(divide(Numbers(), ())) == []
