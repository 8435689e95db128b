"""Remembers the heads of requests: a client sends the same one over and over, and it need not be parsed each time.

What a head says depends on its bytes alone, so nothing is ever out of date. Parses nothing itself, and knows no
connection.
"""

from collections.abc import Sequence
from typing import NamedTuple

_END = b"\r\n\r\n"
_MOST = 64
"""Heads that are remembered; then the oldest is forgotten."""
_LONGEST = 1024
"""In bytes. What is longer has something in it that will not come again."""


class Head(NamedTuple):
    """What the parser made of a head."""

    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    length: int
    """Of the body that it announces, in bytes."""


class Heads:
    """The heads of POSTs that were parsed last, by their bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Split `data` into head and body, if it is just one request whose head is known."""
        end = data.find(_END) + len(_END)
        head = self._known.get(data[:end])
        if head is None or len(data) != end + head.length:
            return None
        return head, data[end:]

    def learn(self, data: bytes, *, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Remember the head of a POST with which `data` begins, and what the parser made of it.

        Not if its body has no plain length, nor if the parser may have seen the head end elsewhere, as where lines are
        folded or end in a line feed alone.
        """
        raw = data[: data.find(_END) + len(_END)]
        lines = raw.count(b"\n")
        is_plain = raw.startswith(b"POST ") and raw.count(b"\r\n") == lines == 1 + len(headers) + 1
        bodies = [value for name, value in headers if name in {b"content-length", b"transfer-encoding"}]
        if is_plain and len(raw) <= _LONGEST and len(bodies) == 1 and bodies[0].isdigit():
            if len(self._known) == _MOST and raw not in self._known:
                del self._known[next(iter(self._known))]
            self._known[raw] = Head(path, query, list(headers), int(bodies[0]))
