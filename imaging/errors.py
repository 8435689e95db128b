"""What can be wrong with a picture. Knows nothing of how pictures are read, nor of HTTP statuses.

PictureError
├── UnsupportedPicture    the bytes are no picture type that is read
├── UnreadablePicture     a known type, but broken or truncated
└── PictureTooLarge       more pixels, memory or parts than allowed
"""


class PictureError(Exception):
    """A picture could not be read. The message says what was wrong, what was expected and what to do."""


class UnsupportedPicture(PictureError):
    """The bytes are of no picture type that is read."""


class UnreadablePicture(PictureError):
    """The bytes are of a known picture type, but broken or truncated."""


class PictureTooLarge(PictureError):
    """The headers announce more pixels, more memory or more parts than are allowed; nothing was decoded."""


class ExpensiveToDecode(Exception):
    """Reading the picture takes longer than a brief reading may. That is no fault of the picture."""
