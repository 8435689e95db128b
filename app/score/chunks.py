"""Divides the pictures of a source into chunks, always in the same way, so that a run can go on where it was killed."""

from collections.abc import Callable, Container, Iterator
from typing import NamedTuple, Protocol

MAX_PICTURES = 1_000
"""In a chunk. A process scores a thousand small pictures in about a tenth of a second."""
MAX_BYTES = 8 * 1024**2
"""In a chunk of more than one picture. A process scores so many photographs in a second or two."""


class Picture(NamedTuple):
    """A picture to score."""

    path: str
    """As the table names it."""
    size: int
    """Of its file, in bytes."""
    content: bytes | str
    """The file, or its address in the file system of the source."""


class Entry(NamedTuple):
    """A picture of a source, whose content is not loaded yet."""

    path: str
    size: int
    load: Callable[[], bytes | str]
    """Returns the content. It has to be called before the next entry is taken."""


class Chunk(NamedTuple):
    """Consecutive pictures, which are scored in one process and written as one part of the table."""

    number: int
    """Counted from 0 in the order of the source."""
    pictures: list[Picture]
    is_done: bool
    """Whether an earlier run has written the part. The pictures have no contents then."""


class Scored(NamedTuple):
    """A chunk whose part is written."""

    number: int
    pictures: int
    """How many."""
    is_earlier: bool = False
    """Whether an earlier run has written the part."""


class Source(Protocol):
    """Pictures in a fixed order."""

    fingerprint: str
    """Changes if the pictures change."""
    count: int | None
    """The number of pictures; None if it is not known before the end."""

    def entries(self) -> Iterator[Entry]:
        """Iterate over the pictures, from the first one.

        Raises:
            ScoringError: if the source cannot be read.

        """


def divide(source: Source, done: Container[int]) -> Iterator[Chunk]:
    """Yield the chunks of a source; `done` has the numbers of those whose parts are written."""
    number, size, pictures = 0, 0, list[Picture]()
    for path, entry_size, load in source.entries():
        if pictures and (len(pictures) == MAX_PICTURES or size + entry_size > MAX_BYTES):
            yield Chunk(number, pictures, number in done)
            number, size, pictures = number + 1, 0, []
        pictures.append(Picture(path, entry_size, b"" if number in done else load()))
        size += entry_size
    if pictures:
        yield Chunk(number, pictures, number in done)
