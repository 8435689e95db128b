"""Caches parsed request heads: a client sends the same head again and again. Knows no connection and parses nothing.

A head means the same whenever it comes, so no entry is ever out of date.
"""

from collections.abc import Sequence
from typing import NamedTuple

_END = b"\r\n\r\n"
_MAX_HEADS = 64
"""Past it, the oldest entry is dropped."""
_MAX_BYTES = 1024
"""A longer head holds something that will not be sent again."""


class ParsedHead(NamedTuple):
    """The head of a POST, parsed."""

    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body_length: int


class HeaderCache:
    """The heads of POST requests that were parsed last, by their bytes."""

    def __init__(self) -> None:
        self._heads: dict[bytes, ParsedHead] = {}

    def find(self, data: bytes) -> tuple[ParsedHead, bytes] | None:
        """Split `data` into head and body, if it is exactly one request whose head is cached."""
        end = data.find(_END) + len(_END)
        head = self._heads.get(data[:end])
        if head is None or len(data) != end + head.body_length:
            return None
        return head, data[end:]

    def add(self, data: bytes, *, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Cache the head at the beginning of `data` and what the parser made of it.

        A head is left out if its body has no plain length, or if the parser may have ended it elsewhere: where lines
        are folded, or end in a line feed alone.
        """
        raw = data[: data.find(_END) + len(_END)]
        lines = raw.count(b"\n")
        is_plain = raw.startswith(b"POST ") and raw.count(b"\r\n") == lines == 1 + len(headers) + 1
        bodies = [value for name, value in headers if name in {b"content-length", b"transfer-encoding"}]
        if is_plain and len(raw) <= _MAX_BYTES and len(bodies) == 1 and bodies[0].isdigit():
            if len(self._heads) == _MAX_HEADS and raw not in self._heads:
                del self._heads[next(iter(self._heads))]
            self._heads[raw] = ParsedHead(path, query, list(headers), int(bodies[0]))
