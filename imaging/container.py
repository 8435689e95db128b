"""What the headers of a picture file say before anything is decoded. Knows no file format and no decoder."""

from typing import NamedTuple

from imaging.errors import PictureTooLarge


class Container(NamedTuple):
    """The facts in the headers of a picture file, and the file without what its decoder does not need."""

    width: int
    """In pixels, as stored: before the picture is turned upright."""
    height: int
    data: bytes
    """A file of the same pixels, without texts, profiles, EXIF and further frames."""
    buffers: int = 0
    """How many bytes the decoder needs at most, beside the file and the picture."""
    orientation: int = 1
    """Of EXIF 2.3, tag 274."""


def check_count(count: int, limit: int, parts: str) -> None:
    """Raise PictureTooLarge where a file has more than `limit` of its `parts`, so that each walk through it ends."""
    if count > limit:
        message = f"The picture file has more than {limit:,} {parts}, too many to be read. Save it again, without them."
        raise PictureTooLarge(message)
