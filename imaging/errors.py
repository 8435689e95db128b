"""The errors of this package. Knows no file format and no HTTP status.

PictureError
├── UnsupportedPicture    the format of the file is not supported
├── UnreadablePicture     the format is supported, but the file is broken or truncated
└── PictureTooLarge       more pixels, memory or parts than allowed

ExpensiveToDecode is raised only where a caller asks for cheap pictures only.
"""


class PictureError(Exception):
    """A picture could not be decoded. The message says what was wrong, what was expected and what to do."""


class UnsupportedPicture(PictureError):
    """The format of the file is not supported."""


class UnreadablePicture(PictureError):
    """The format of the file is supported, but the file is broken or truncated."""


class PictureTooLarge(PictureError):
    """The headers announce more pixels, memory or parts than allowed. Nothing was decoded."""


class ExpensiveToDecode(Exception):
    """The picture takes too long to be preprocessed on an event loop. The picture itself is valid."""
