"""The content of a picture file's headers, as one data type for all file formats. Parses no headers itself."""

from typing import NamedTuple

from imaging.errors import PictureTooLarge


class Container(NamedTuple):
    """The size of a picture, and its file without the parts that the decoder does not need."""

    width: int
    """In pixels, as stored: before the orientation is applied."""
    height: int
    """In pixels, as stored."""
    data: bytes
    """A file with the same pixels, without texts, colour profiles, EXIF and further frames."""
    buffers: int = 0
    """The most bytes that the decoder allocates besides the file and the picture."""
    orientation: int = 1
    """EXIF 2.3, tag 274: 1 is upright."""


class CodedPicture(NamedTuple):
    """The size of a picture that is coded as a frame of a video, as its codec announces it."""

    width: int
    """In pixels, with the margins that are cropped."""
    height: int
    bytes_per_pixel: float
    """The memory of all colour planes after decoding."""


def check_count(count: int, limit: int, parts: str) -> None:
    """Raise PictureTooLarge if a file has more than `limit` of its `parts`. This bounds every loop over them."""
    if count > limit:
        message = f"The picture file has more than {limit:,} {parts}, which is not allowed. Save it again without them."
        raise PictureTooLarge(message)
