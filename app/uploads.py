"""Takes pictures out of a request's body, counting bytes as they come in. Knows nothing of what is in a picture."""

import asyncio

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from app.errors import MalformedRequest, ServiceError, TooLarge, TooSlow, UnsupportedBody

_MULTIPART = "multipart/form-data"
_RAW = ("image/", "application/octet-stream")
_OTHER_PARTS = 64
"""How many parts of a form may be something else than a wanted file: to parse many tiny ones takes long."""
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


async def one_picture(request: Request, *, max_bytes: int) -> bytes:
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
    return picture_in(await read_body(request, max_bytes), form)


def form_options(header: str) -> dict[str, str] | None:
    """Read the Content-Type of a body that holds one picture: a form's options, or None if it is the picture itself.

    Raises:
        UnsupportedBody: if it is neither.

    """
    content_type: str
    options: dict[str, str]
    content_type, options = parse_options_header(header)
    if content_type == _MULTIPART:
        return options
    if not content_type.startswith(_RAW):
        message = (
            f"The content type is '{content_type}'. Expected the picture itself with an image type, such as image/png, "
            f"or {_MULTIPART} with one part named 'file'."
        )
        raise UnsupportedBody(message)
    return None


def picture_in(body: bytes, form: dict[str, str] | None) -> bytes:
    """Take the picture out of a whole body.

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
    files = _files(body, form, most=1)
    if not files:
        message = "The form has no part named 'file'. Send the picture as one file part of that name."
        raise MalformedRequest(message)
    return files[0]


async def several_pictures(request: Request, *, max_bytes: int, max_files: int) -> list[bytes]:
    """Take the pictures out of a multipart form, all its parts named `file`, in their order; there is at least one.

    Raises:
        MalformedRequest: if the form is broken or has no file.
        UnsupportedBody: if the body is no form.
        TooLarge: if there are more than `max_files`, or more than `max_bytes` in all.

    """
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type != _MULTIPART:
        message = f"The content type is '{content_type}'. Expected {_MULTIPART} with parts named 'file'."
        raise UnsupportedBody(message)
    files = _files(await read_body(request, max_bytes), options, most=max_files)
    if not files:
        message = "The form has no part named 'file'. Send each picture as a file part of that name."
        raise MalformedRequest(message)
    return files


def _files(body: bytes, options: dict[str, str], *, most: int) -> list[bytes]:
    """Parse a form; parts that are not named `file` are passed over."""
    files: list[bytearray] = []
    wanted = False
    try:
        with PushMultipartParser(options.get("boundary", ""), max_segment_count=most + 1 + _OTHER_PARTS) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    wanted = event.name == "file"
                    if wanted and len(files) == most:
                        raise _too_many(most)
                    if wanted:
                        files.append(bytearray())
                elif event and wanted:
                    files[-1] += event
    except MultipartError as error:
        message = f"The form cannot be parsed: {error}. Let your HTTP client write the multipart body and its header."
        raise MalformedRequest(message) from error
    return [bytes(file) for file in files]


def _too_many(most: int) -> ServiceError:
    if most == 1:
        return MalformedRequest("The form has several files. Send one to /predict, or all of them to /predict/batch.")
    return TooLarge(
        f"The form has more than {most:,} files, the most that are taken. Send the rest in another request."
    )
