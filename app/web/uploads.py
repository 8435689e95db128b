"""Reads request bodies, and extracts pictures from them, within limits. Does not decode pictures."""

import asyncio
from collections.abc import Sequence

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from app.errors import MalformedRequest, RequestTooSlow, ServiceError, TooLarge, UnsupportedBody

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
_EMPTY = "The body is empty. Send the picture as the body, or a form with one part named 'file'."


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body.

    Args:
        request: the request, whose body has not been read.
        limit: the maximum number of bytes.

    Raises:
        TooLarge: as soon as the Content-Length or the received bytes exceed the limit.
        RequestTooSlow: if the body is not received in time.
        ClientDisconnect: if the client disconnects before.

    """
    content_length = request.headers.get("content-length", "0")
    if content_length.isdecimal() and int(content_length) > limit:
        raise _too_large(limit)
    seconds = request.scope.get("state", {}).get("upload_seconds")  # from the lifespan state
    try:
        async with asyncio.timeout(seconds):
            return await _read_chunks(request, limit)
    except TimeoutError as error:
        raise RequestTooSlow(seconds) from error


async def _read_chunks(request: Request, limit: int) -> bytes:
    chunks = []
    received = 0
    more_body = True
    while more_body:  # `request.stream()` takes three times as long for a small picture
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more_body = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body has more than {limit:,} bytes, which is the limit. Send a smaller picture, or fewer pictures."
    )


async def read_picture(request: Request, *, max_bytes: int) -> bytes:
    """Read the picture of a request: the body itself, or the part `file` of a multipart form.

    Raises:
        MalformedRequest: if the form is malformed, has no file or several files, or if the body is empty.
        UnsupportedBody: if the content type is neither a picture nor a form.
        TooLarge: if the body has more than `max_bytes`.
        RequestTooSlow: if the body is not received in time.

    """
    content_type = request.headers.get("content-type", "")
    if not content_type and request.headers.get("content-length", "0") == "0":
        raise MalformedRequest(_EMPTY)
    form = form_options(content_type)
    body = await read_body(request, max_bytes)
    return extract_picture(body, form) if form is None else _single_file(await _parse_form(body, form, max_files=1))


def form_options(header: str) -> dict[str, str] | None:
    """Parse the Content-Type of a body with one picture.

    Returns:
        The options of a multipart form, or None if the body is the picture itself.

    Raises:
        UnsupportedBody: if the type is neither.

    """
    content_type, options = _parse_content_type(header)
    if content_type == _MULTIPART:
        return options
    if not content_type.startswith(_RAW_TYPES):
        message = (
            f"The content type is '{content_type}'. Expected the picture itself with an image type, such as image/png, "
            f"or {_MULTIPART} with one part named 'file'."
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


def extract_picture(body: bytes, form: dict[str, str] | None) -> bytes:
    """Extract the picture from a body without pausing, which takes 40 ms for a form of 8 MB.

    Args:
        body: the whole body.
        form: the result of `form_options`.

    Raises:
        MalformedRequest: if the form is malformed, has no file or several files, or if the body is empty.

    """
    if form is None:
        if not body:
            raise MalformedRequest(_EMPTY)
        return body
    parser = _FormParser(form, max_files=1)
    parser.feed(body)
    return _single_file(parser.close())


def _single_file(files: Sequence[bytes]) -> bytes:
    if not files:
        message = "The form has no part named 'file'. Send the picture as one file part of that name."
        raise MalformedRequest(message)
    return files[0]


async def read_pictures(request: Request, *, max_bytes: int, max_files: int) -> list[bytes]:
    """Read the pictures of a multipart form: all parts named `file`, at least one, in their order.

    Raises:
        MalformedRequest: if the form is malformed or has no file.
        UnsupportedBody: if the body is not a form.
        TooLarge: if there are more than `max_files` files, or the body has more than `max_bytes`.
        RequestTooSlow: if the body is not received in time.

    """
    content_type, options = _parse_content_type(request.headers.get("content-type", ""))
    if content_type != _MULTIPART:
        message = f"The content type is '{content_type}'. Expected {_MULTIPART} with parts named 'file'."
        raise UnsupportedBody(message)
    files = await _parse_form(await read_body(request, max_bytes), options, max_files=max_files)
    if not files:
        message = "The form has no part named 'file'. Send each picture as a file part of that name."
        raise MalformedRequest(message)
    return files


class _FormParser:
    """Parses a form incrementally. Parts that are not named `file` are ignored."""

    def __init__(self, options: dict[str, str], *, max_files: int) -> None:
        boundary = options.get("boundary", "")
        if len(boundary) > _MAX_BOUNDARY_LENGTH:
            message = f"The form's boundary has {len(boundary):,} characters. RFC 2046 allows {_MAX_BOUNDARY_LENGTH}."
            raise MalformedRequest(message)
        self._max_files = max_files
        self._files: list[bytearray] = []
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
                elif event and self._is_file:
                    self._files[-1] += event
        except MultipartError as error:
            raise _malformed(error) from error

    def _start_part(self, part: MultipartSegment) -> None:
        self._is_file = part.name == "file"
        if self._is_file and len(self._files) == self._max_files:
            raise _too_many(self._max_files)
        if self._is_file:
            self._files.append(bytearray())

    def close(self) -> list[bytes]:
        """Return the files.

        Raises:
            MalformedRequest: if the form is truncated.

        """
        try:
            self._parser.close()
        except MultipartError as error:
            raise _malformed(error) from error
        return [bytes(file) for file in self._files]


async def _parse_form(body: bytes, options: dict[str, str], *, max_files: int) -> list[bytes]:
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
