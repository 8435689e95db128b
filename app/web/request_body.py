"""Reads the body of a request, within limits of size and time. Does not interpret it."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.errors import RequestTooSlow, TooLarge
from app.settings import Settings


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
    settings: Settings = request.app.state.settings  # not from the lifespan state: Ray Serve passes none
    seconds = settings.upload_seconds
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
