"""Caches parsed request heads, because clients repeat the same head. Knows no connection and parses nothing.

Equal bytes always parse to the same head, so entries never expire.
"""

from collections.abc import Sequence
from typing import NamedTuple

_END = b"\r\n\r\n"
_MAX_HEADS = 64
"""When it is exceeded, the oldest entry is dropped."""
_MAX_BYTES = 1024
"""A longer head contains something that is unlikely to be repeated."""


class ParsedHead(NamedTuple):
    """The parsed head of a POST request."""

    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body_length: int


class HeadCache:
    """The most recently parsed heads of POST requests, by their bytes."""

    def __init__(self) -> None:
        self._heads: dict[bytes, ParsedHead] = {}

    def find(self, data: bytes) -> tuple[ParsedHead, bytes] | None:
        """Return the parsed head and the body, if `data` is exactly one request whose head is cached."""
        end = data.find(_END) + len(_END)
        head = self._heads.get(data[:end])
        if head is None or len(data) != end + head.body_length:
            return None
        return head, data[end:]

    def add(self, data: bytes, *, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Cache the head at the start of `data`, with the result of its parsing.

        A head is not cached if its body has no Content-Length, or if the parser may have found another end: if lines
        are folded, or end with a line feed alone.
        """
        raw = data[: data.find(_END) + len(_END)]
        lines = raw.count(b"\n")
        is_plain = raw.startswith(b"POST ") and raw.count(b"\r\n") == lines == 1 + len(headers) + 1
        lengths = [value for name, value in headers if name in {b"content-length", b"transfer-encoding"}]
        if is_plain and len(raw) <= _MAX_BYTES and len(lengths) == 1 and lengths[0].isdigit():
            if len(self._heads) == _MAX_HEADS and raw not in self._heads:
                del self._heads[next(iter(self._heads))]
            self._heads[raw] = ParsedHead(path, query, list(headers), int(lengths[0]))
