"""The errors of this package. Knows no file format and no HTTP status.

PictureError
├── UnsupportedPicture    the format of the file, or its compression, is not supported
├── UnreadablePicture     the format is supported, but the file is broken or truncated
└── PictureTooLarge       more pixels, memory or parts than allowed

ExpensivePicture is no PictureError: the picture is valid. With `cheap_only`, `preprocess_pictures` returns it for a
picture that takes too long.
"""


class PictureError(Exception):
    """A picture could not be decoded. The message says what was wrong, what was expected and what to do."""


class UnsupportedPicture(PictureError):
    """The format of the file, or its compression, is not supported."""


class UnreadablePicture(PictureError):
    """The format of the file is supported, but the file is broken or truncated."""


class PictureTooLarge(PictureError):
    """The picture has more pixels or parts, or needs more memory, than allowed."""


class ExpensivePicture(Exception):
    """The picture takes too long to be preprocessed on an event loop. The picture itself is valid."""
