"""Answers many requests that are refused for one reason: the answer is written once, with gaps for each one's own.

A problem and a response made anew for each would be two thirds of what a refusal costs. Does not know when one
is due.
"""

from typing import NamedTuple
from uuid import uuid4

from app import problems
from app.middleware import marks

_GAP = uuid4().hex  # which nobody can have sent as a part of a path


class Answer(NamedTuple):
    """What there is to send, as a Starlette response has it."""

    status_code: int
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes


class Refusal:
    """The answer to all requests for one path that meet the same error."""

    def __init__(self, error: Exception, path: str) -> None:
        kind = problems.kind_of(error)
        written = problems.answer(problems.problem(kind, str(error), instance=path, request_id=_GAP))
        self.reason = kind.name
        self.status = written.status_code
        self._headers = [header for header in written.raw_headers if header[0] != b"content-length"]
        self._parts = bytes(written.body).split(_GAP.encode())  # a single one where a protocol's errors bear no id

    def answer(self, request_id: str, seconds: float) -> Answer:
        """Give the answer to one of them, which took so long to find."""
        body = request_id.encode().join(self._parts)
        length = b"content-length", b"%d" % len(body)
        return Answer(self.status, [*self._headers, length, *marks(request_id, seconds)], body)
