"""Reads a request's body that may be compressed, its size bounded before and after. Knows nothing of what is in it."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import anyio
from fastapi import Request

from app.deadline import Deadline
from app.errors import MalformedRequest, TooLarge, UnsupportedBody
from app.web.uploads import read_body

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""How zlib is told of each content coding of RFC 9110; its `deflate` is the zlib format of RFC 1950."""


_LARGE_BYTES = 64 * 1024
"""In bytes: a body that is longer, or may be when it is decompressed, is large."""
_MAX_CONCURRENT_LARGE = 2
"""Large bodies that are worked on at once. What is made of one takes some times as much memory as the body."""


class BodyReader:
    """Reads bodies, and holds few large ones in memory at a time. It belongs to one event loop."""

    def __init__(self, *, max_bytes: int, deadline_seconds: float) -> None:
        """Bound the bytes of a body, before and after it is decompressed, and the time that it waits for its turn."""
        self._max_bytes = max_bytes
        self._deadline = Deadline(deadline_seconds)
        self._large_limiter = anyio.CapacityLimiter(_MAX_CONCURRENT_LARGE)

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Give the whole body, its Content-Encoding undone, for as long as the context lasts.

        A large one waits until few others are worked on. What is made of it should be done with in the context, too.

        Raises:
            UnsupportedBody: if the encoding is neither gzip nor deflate, or several.
            MalformedRequest: if the body is not what its encoding says.
            TooLarge: if it has more than the most bytes before or after; decompression stops there.
            DeadlineExceeded: if a large one has waited, and been worked on, for too long.

        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in _WINDOW_BITS and encoding not in ("identity", ""):
            message = f"The content encoding is '{encoding}'. Expected gzip or deflate, or none."
            raise UnsupportedBody(message)
        body = await read_body(request, self._max_bytes)
        is_compressed = encoding in _WINDOW_BITS
        async with self._large_body() if is_compressed or len(body) > _LARGE_BYTES else nullcontext():
            if is_compressed:  # zlib lets other threads run meanwhile
                body = await asyncio.to_thread(decompress, body, encoding, self._max_bytes)
            yield body

    @asynccontextmanager
    async def _large_body(self) -> AsyncIterator[None]:
        with self._deadline.enforced():
            async with self._large_limiter:
                yield


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body that is encoded in `gzip` or `deflate`.

    Raises:
        MalformedRequest: if it is not, or is cut short, or something follows it.
        TooLarge: as soon as more than `limit` bytes have come of it.

    """
    decompressor = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        data = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        message = f"The body is not what its content encoding '{encoding}' says: {error}."
        raise MalformedRequest(message) from error
    if len(data) > limit:
        message = f"The body decompresses to more than {limit:,} bytes, the most that is taken. Send fewer images."
        raise TooLarge(message)
    if not decompressor.eof or decompressor.unused_data:
        message = (
            f"The body in content encoding '{encoding}' {'has' if decompressor.eof else 'lacks'} something at its end."
        )
        raise MalformedRequest(message)
    return data
