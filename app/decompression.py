"""Reads a request's body that may be compressed, its size bounded before and after. Knows nothing of what is in it."""

import asyncio
import zlib

from fastapi import Request

from app.errors import MalformedRequest, TooLarge, UnsupportedBody
from app.uploads import read_body

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""How zlib is told of each content coding of RFC 9110; its `deflate` is the zlib format of RFC 1950."""


async def read_decompressed(request: Request, limit: int) -> bytes:
    """Read the whole body, and undo its Content-Encoding.

    Args:
        request: whose body has not been read.
        limit: the most bytes that may arrive, and the most that may come of them.

    Raises:
        UnsupportedBody: if the encoding is neither gzip nor deflate, or several.
        MalformedRequest: if the body is not what its encoding says.
        TooLarge: if it has more than `limit` bytes before or after; decompression stops there.

    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in _WINDOW_BITS and encoding not in ("identity", ""):
        message = f"The content encoding is '{encoding}'. Expected gzip or deflate, or none."
        raise UnsupportedBody(message)
    body = await read_body(request, limit)
    if encoding not in _WINDOW_BITS:
        return body
    return await asyncio.to_thread(decompress, body, encoding, limit)  # zlib lets other threads run meanwhile


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
