"""Reads request bodies and decompresses them, with limits on size and memory. Does not interpret their content."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import anyio
from fastapi import Request

from app.deadline import Deadline
from app.errors import MalformedRequest, TooLarge, UnsupportedEncoding
from app.web.request_body import read_body

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""zlib's `wbits` for each content coding of RFC 9110. The coding `deflate` is the zlib format of RFC 1950."""

_LARGE_BYTES = 64 * 1024
"""A body with more bytes, or a compressed body of any length, is large."""
_MAX_CONCURRENT_LARGE = 2
"""The number of large bodies that are processed at a time. Processing takes several times the memory of the body."""


class BodyReader:
    """Reads request bodies, and processes few large ones at a time. Belongs to one event loop."""

    def __init__(self, *, max_bytes: int, deadline_seconds: float) -> None:
        """Limit the bytes of a body, before and after decompression, and the time for a large body."""
        self._max_bytes = max_bytes
        self._deadline = Deadline(deadline_seconds)
        self._large_limiter = anyio.CapacityLimiter(_MAX_CONCURRENT_LARGE)

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the whole body, decompressed as its Content-Encoding says.

        A large body waits until fewer large bodies are in their contexts. The caller should process it in the context.

        Raises:
            UnsupportedEncoding: if the encoding is neither gzip nor deflate, or if there are several.
            MalformedRequest: if the body is not valid in its encoding.
            TooLarge: if it exceeds the limit before or after decompression, which stops at the limit.
            DeadlineExceeded: if a large body waited and was processed for longer than the deadline.

        """
        encoding = _encoding_of(request)
        body = await read_body(request, self._max_bytes)
        async with self._large_body() if encoding or len(body) > _LARGE_BYTES else nullcontext():
            if encoding:  # zlib releases the GIL
                body = await asyncio.to_thread(decompress, body, encoding, self._max_bytes)
            yield body

    @asynccontextmanager
    async def _large_body(self) -> AsyncIterator[None]:
        with self._deadline.enforced():
            async with self._large_limiter:
                yield


async def read_decompressed(request: Request, limit: int) -> bytes:
    """Read the whole body, decompressed as its Content-Encoding says.

    Raises:
        UnsupportedEncoding, MalformedRequest: as `BodyReader.read`.
        TooLarge, RequestTooSlow, ClientDisconnect: as `read_body`, and TooLarge also after decompression.

    """
    encoding = _encoding_of(request)
    body = await read_body(request, limit)
    return await asyncio.to_thread(decompress, body, encoding, limit) if encoding else body


def _encoding_of(request: Request) -> str | None:
    """Return the content coding of a body, or None if it has none."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in _WINDOW_BITS:
        return encoding
    if encoding not in {"identity", ""}:
        message = f"The content encoding is '{encoding}'. Expected gzip, deflate or no encoding."
        raise UnsupportedEncoding(message)
    return None


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body in the encoding `gzip`, `x-gzip` or `deflate`.

    Raises:
        MalformedRequest: if the body is not valid in the encoding, is truncated, or has trailing data.
        TooLarge: as soon as the decompressed data has more than `limit` bytes.

    """
    decompressor = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        data = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        message = f"The body is not valid in its content encoding '{encoding}': {error}."
        raise MalformedRequest(message) from error
    if len(data) > limit:
        message = f"The decompressed body has more than {limit:,} bytes, which is the limit. Send fewer images."
        raise TooLarge(message)
    if not decompressor.eof or decompressor.unused_data:
        problem = "has trailing data" if decompressor.eof else "is truncated"
        message = f"The body in content encoding '{encoding}' {problem}. Send exactly one compressed stream."
        raise MalformedRequest(message)
    return data
