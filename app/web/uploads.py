"""Extracts pictures, and the fields beside them, from the bodies of requests, within limits. Decodes no pictures."""

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from app.errors import MalformedRequest, ServiceError, TooLarge, UnsupportedBody
from app.web.decompression import read_decompressed

_MULTIPART = "multipart/form-data"
_RAW_TYPES = ("image/", "application/octet-stream")
_MAX_OTHER_PARTS = 64
"""The number of form parts that are not named `file`. Parsing many tiny parts takes long."""
_MAX_CONTENT_TYPE_LENGTH = 1024
"""In characters. A content type with 15,000 parameters takes 15 ms to parse."""
_MAX_BOUNDARY_LENGTH = 70
"""In characters, from RFC 2046, section 5.1.1."""
_MAX_FEED_BYTES = 1 << 18
"""The bytes of a form that are parsed in one step, between iterations of the event loop. A step takes about 1 ms."""
_MAX_FIELD_BYTES = 200
"""The bytes of a part that is not named `file` that are kept."""
_MAX_QUOTED, _MAX_QUOTED_NAMES = 50, 5
"""The characters of a name, and the number of names, that a message repeats."""
_FORM_HEADER = re.compile(rb"content-disposition:\s*form-data", re.IGNORECASE)
_MAX_FORM_BEGINNING = 1024
"""The bytes in which the header of the first part of a form is looked for."""
_CURL = " With curl, add -H 'Content-Type: image/png' to --data-binary, or use -F file=@picture.png."
_EMPTY = "The body is empty. Send the picture as the body, or a form with one part named 'file'."


class Upload(NamedTuple):
    """The pictures of a request, and the other parts of its form."""

    pictures: list[bytes]
    """At least one."""
    fields: Sequence[tuple[str, str]] = ()
    """The name of each part that is not named `file`, and its value, or the beginning of a long value."""


async def read_picture(request: Request, *, max_bytes: int) -> Upload:
    """Read the picture of a request: the body itself, or the part `file` of a multipart form.

    Raises:
        MalformedRequest: if the form is malformed, has no file or several files, or if the body is empty.
        UnsupportedBody: if the content type is neither a picture nor a form, or if the content coding is unknown.
        TooLarge: if the body has more than `max_bytes`, before or after decompression.
        RequestTooSlow: if the body is not received in time.

    """
    form = form_options(request.headers.get("content-type", ""))
    body = await read_decompressed(request, max_bytes)
    return extract_picture(body, form) if form is None else _single(await _parse_form(body, form, max_files=1))


def form_options(header: str) -> dict[str, str] | None:
    """Parse the Content-Type of a body with one picture. Without one, the body is the picture itself.

    Returns:
        The options of a multipart form, or None if the body is the picture itself.

    Raises:
        UnsupportedBody: if the type is neither.

    """
    content_type, options = _parse_content_type(header)
    if content_type == _MULTIPART:
        return options
    if content_type and not content_type.startswith(_RAW_TYPES):
        remedy = _CURL if content_type == "application/x-www-form-urlencoded" else ""
        message = (
            f"The content type is '{content_type}'. Expected the picture itself with an image type, such as image/png, "
            f"or {_MULTIPART} with one part named 'file'.{remedy}"
        )
        raise UnsupportedBody(message)
    return None


def _parse_content_type(header: str) -> tuple[str, dict[str, str]]:
    if len(header) > _MAX_CONTENT_TYPE_LENGTH:
        message = f"The content type has {len(header):,} characters. Expected an image type, or {_MULTIPART}."
        raise UnsupportedBody(message)
    content_type: str
    options: dict[str, str]
    content_type, options = parse_options_header(header)
    return content_type, options


def extract_picture(body: bytes, form: dict[str, str] | None) -> Upload:
    """Extract the picture from a body without pausing, which takes 40 ms for a form of 8 MB.

    Args:
        body: the whole body.
        form: the result of `form_options`.

    Raises:
        MalformedRequest: if the form is malformed, has no file or several files, or if the body is empty.
        UnsupportedBody: if the body is a form, but its type is not.

    """
    if form is None:
        if not body:
            raise MalformedRequest(_EMPTY)
        if body.startswith(b"--") and _FORM_HEADER.search(body, 0, _MAX_FORM_BEGINNING):
            message = (
                f"The body is a form, but the content type is not {_MULTIPART}. Let your HTTP client create the body "
                "and its Content-Type, or send the picture itself as the body."
            )
            raise UnsupportedBody(message)
        return Upload([body])
    parser = _FormParser(form, max_files=1)
    parser.feed(body)
    return _single(parser.close())


def _single(upload: Upload) -> Upload:
    if not upload.pictures:
        raise _no_file(upload, "Send the picture as one file part of that name.")
    return upload


def _no_file(upload: Upload, remedy: str) -> MalformedRequest:
    names = ", ".join(f"'{name[:_MAX_QUOTED]}'" for name, _ in upload.fields[:_MAX_QUOTED_NAMES])
    found = f" It has {names}." if names else ""
    return MalformedRequest(f"The form has no part named 'file'.{found} {remedy}")


async def read_pictures(request: Request, *, max_bytes: int, max_files: int) -> Upload:
    """Read the pictures of a multipart form: all parts named `file`, at least one, in their order.

    Raises:
        MalformedRequest: if the form is malformed or has no file.
        UnsupportedBody: if the body is not a form, or if the content coding is unknown.
        TooLarge: if there are more than `max_files` files, or the body has more than `max_bytes`, before or after
            decompression.
        RequestTooSlow: if the body is not received in time.

    """
    content_type, options = _parse_content_type(request.headers.get("content-type", ""))
    if content_type != _MULTIPART:
        found = f"The content type is '{content_type}'." if content_type else "There is no content type."
        message = f"{found} Expected {_MULTIPART} with parts named 'file'."
        raise UnsupportedBody(message)
    body = await read_decompressed(request, max_bytes)
    upload = await _parse_form(body, options, max_files=max_files)
    if not upload.pictures:
        raise _no_file(upload, "Send each picture as a file part of that name.")
    return upload


class _FormParser:
    """Parses a form incrementally. Of the parts that are not named `file`, the beginnings are kept."""

    def __init__(self, options: dict[str, str], *, max_files: int) -> None:
        boundary = options.get("boundary", "")
        if len(boundary) > _MAX_BOUNDARY_LENGTH:
            message = f"The form's boundary has {len(boundary):,} characters. RFC 2046 allows {_MAX_BOUNDARY_LENGTH}."
            raise MalformedRequest(message)
        self._max_files = max_files
        self._files: list[bytearray] = []
        self._fields: list[tuple[str, bytearray]] = []
        self._current = bytearray()
        self._is_file = False
        try:
            self._parser = PushMultipartParser(boundary, max_segment_count=max_files + 1 + _MAX_OTHER_PARTS)
        except MultipartError as error:
            raise _malformed(error) from error

    def feed(self, data: bytes) -> None:
        """Parse the next bytes. They may be empty only if the form is empty.

        Raises:
            MalformedRequest: if the form is malformed, or has several files where one is allowed.
            TooLarge: if it has too many files, and several are allowed.

        """
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self._start_part(event)
                elif event and (self._is_file or len(self._current) < _MAX_FIELD_BYTES):
                    self._current += event
        except MultipartError as error:
            raise _malformed(error) from error

    def _start_part(self, part: MultipartSegment) -> None:
        self._is_file = part.name == "file"
        if self._is_file and len(self._files) == self._max_files:
            raise _too_many(self._max_files)
        self._current = bytearray()
        if self._is_file:
            self._files.append(self._current)
        else:
            self._fields.append((part.name, self._current))

    def close(self) -> Upload:
        """Return the files and the other parts.

        Raises:
            MalformedRequest: if the form is truncated.

        """
        try:
            self._parser.close()
        except MultipartError as error:
            raise _malformed(error) from error
        fields = [(name, value[:_MAX_FIELD_BYTES].decode("utf-8", "replace").strip()) for name, value in self._fields]
        return Upload([bytes(file) for file in self._files], fields)


async def _parse_form(body: bytes, options: dict[str, str], *, max_files: int) -> Upload:
    parser = _FormParser(options, max_files=max_files)
    for start in range(0, len(body), _MAX_FEED_BYTES):
        if start:
            await asyncio.sleep(0)
        parser.feed(body[start : start + _MAX_FEED_BYTES])
    return parser.close()


def _malformed(error: MultipartError) -> MalformedRequest:
    return MalformedRequest(
        f"The form cannot be parsed: {error}. Let your HTTP client create the multipart body and its Content-Type."
    )


def _too_many(max_files: int) -> ServiceError:
    if max_files == 1:
        return MalformedRequest(
            "The form has several files. Send one, or send all of them to /predict/batch or /read/batch."
        )
    return TooLarge(
        f"The form has more than {max_files:,} files, which is the limit. Send the rest in another request."
    )
