"""Takes pictures out of a request's body, counting bytes as they come in. Knows nothing of what is in a picture."""

import asyncio
from collections.abc import Sequence

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from app.errors import MalformedRequest, ServiceError, TooLarge, TooSlow, UnsupportedBody

_MULTIPART = "multipart/form-data"
_RAW_TYPES = ("image/", "application/octet-stream")
_MAX_OTHER_PARTS = 64
"""How many parts of a form may be something else than a wanted file: to parse many tiny ones takes long."""
_MAX_CONTENT_TYPE_LENGTH = 1024
"""In characters: 15,000 parameters of a type take 15 ms to parse."""
_MAX_BOUNDARY_LENGTH = 70
"""In characters: RFC 2046 allows no more."""
_MAX_FEED_BYTES = 1 << 18
"""Bytes of a form that are parsed in one step, which takes some 1 ms."""
_EMPTY = "The body is empty. Send a picture's bytes as the body, or a form with one part named 'file'."


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body.

    Args:
        request: whose body has not been read.
        limit: the most bytes it may have.

    Raises:
        TooLarge: as soon as the announced or the received length passes the limit.
        TooSlow: if it has not come in whole in time.

    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    seconds = request.scope.get("state", {}).get("upload_seconds")  # which the lifespan has left there
    try:
        async with asyncio.timeout(seconds):
            return await _read_chunks(request, limit)
    except TimeoutError as error:
        raise TooSlow(seconds) from error


async def _read_chunks(request: Request, limit: int) -> bytes:
    chunks = []
    received = 0
    more = True
    while more:  # `request.stream()` does the same, and takes three times as long for a small picture
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body has more than {limit:,} bytes, the most that is taken. Send a smaller picture, or fewer."
    )


async def read_picture(request: Request, *, max_bytes: int) -> bytes:
    """Take the one picture out of a body that is the picture itself, or a multipart form with one part `file`.

    Raises:
        MalformedRequest: if the form is broken, or has no file or several, or the body is empty.
        UnsupportedBody: if the body says that it is neither a picture nor a form.
        TooLarge: if it has more than `max_bytes`.

    """
    content_type = request.headers.get("content-type", "")
    if not content_type and request.headers.get("content-length", "0") == "0":
        raise MalformedRequest(_EMPTY)
    form = form_options(content_type)
    body = await read_body(request, max_bytes)
    return extract_picture(body, form) if form is None else _only_file(await _parse_in_pieces(body, form, max_files=1))


def form_options(header: str) -> dict[str, str] | None:
    """Read the Content-Type of a body that holds one picture: a form's options, or None if it is the picture itself.

    Raises:
        UnsupportedBody: if it is neither.

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
    """Take the picture out of a whole body at once, which takes 40 ms for a form of 8 MB.

    Args:
        body: that was sent.
        form: what `form_options` said of it.

    Raises:
        MalformedRequest: if the form is broken, or has no file or several, or the body is empty.

    """
    if form is None:
        if not body:
            raise MalformedRequest(_EMPTY)
        return body
    parser = _FormParser(form, max_files=1)
    parser.feed(body)
    return _only_file(parser.close())


def _only_file(files: Sequence[bytes]) -> bytes:
    if not files:
        message = "The form has no part named 'file'. Send the picture as one file part of that name."
        raise MalformedRequest(message)
    return files[0]


async def read_pictures(request: Request, *, max_bytes: int, max_files: int) -> list[bytes]:
    """Take the pictures out of a multipart form, all its parts named `file`, in their order; there is at least one.

    Raises:
        MalformedRequest: if the form is broken or has no file.
        UnsupportedBody: if the body is no form.
        TooLarge: if there are more than `max_files`, or more than `max_bytes` in all.

    """
    content_type, options = _parse_content_type(request.headers.get("content-type", ""))
    if content_type != _MULTIPART:
        message = f"The content type is '{content_type}'. Expected {_MULTIPART} with parts named 'file'."
        raise UnsupportedBody(message)
    files = await _parse_in_pieces(await read_body(request, max_bytes), options, max_files=max_files)
    if not files:
        message = "The form has no part named 'file'. Send each picture as a file part of that name."
        raise MalformedRequest(message)
    return files


class _FormParser:
    """Parses a form piece by piece; parts that are not named `file` are passed over."""

    def __init__(self, options: dict[str, str], *, max_files: int) -> None:
        boundary = options.get("boundary", "")
        if len(boundary) > _MAX_BOUNDARY_LENGTH:
            message = f"The form's boundary has {len(boundary):,} characters. RFC 2046 allows {_MAX_BOUNDARY_LENGTH}."
            raise MalformedRequest(message)
        self._max_files = max_files
        self._files: list[bytearray] = []
        self._wanted = False
        try:
            self._parser = PushMultipartParser(boundary, max_segment_count=max_files + 1 + _MAX_OTHER_PARTS)
        except MultipartError as error:
            raise _broken(error) from error

    def feed(self, piece: bytes) -> None:
        """Take the next piece, which is not empty unless the whole form is.

        Raises:
            MalformedRequest: if the form is broken.
            ServiceError: if it has more files than the most.

        """
        try:
            for event in self._parser.parse(piece):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event and self._wanted:
                    self._files[-1] += event
        except MultipartError as error:
            raise _broken(error) from error

    def _begin(self, part: MultipartSegment) -> None:
        self._wanted = part.name == "file"
        if self._wanted and len(self._files) == self._max_files:
            raise _too_many(self._max_files)
        if self._wanted:
            self._files.append(bytearray())

    def close(self) -> list[bytes]:
        """Give the files.

        Raises:
            MalformedRequest: if the form has not come to its end.

        """
        try:
            self._parser.close()
        except MultipartError as error:
            raise _broken(error) from error
        return [bytes(file) for file in self._files]


async def _parse_in_pieces(body: bytes, options: dict[str, str], *, max_files: int) -> list[bytes]:
    parser = _FormParser(options, max_files=max_files)
    for start in range(0, len(body), _MAX_FEED_BYTES):
        if start:
            await asyncio.sleep(0)
        parser.feed(body[start : start + _MAX_FEED_BYTES])
    return parser.close()


def _broken(error: MultipartError) -> MalformedRequest:
    return MalformedRequest(
        f"The form cannot be parsed: {error}. Let your HTTP client write the multipart body and its header."
    )


def _too_many(max_files: int) -> ServiceError:
    if max_files == 1:
        return MalformedRequest("The form has several files. Send one to /predict, or all of them to /predict/batch.")
    return TooLarge(
        f"The form has more than {max_files:,} files, the most that are taken. Send the rest in another request."
    )
