"""Chooses the id of a request, and creates the headers that all responses have. Independent of the ASGI server."""

import os
import re
from random import Random

from starlette.types import Scope

_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# An id is not a secret. Reading random bytes from the system for each takes 3 % of a request.
_random = Random(os.urandom(16))  # noqa: S311


def request_id_of(scope: Scope) -> str:
    """Return the client's `X-Request-ID` if it is safe to log, otherwise a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value):
            return str(value, "ascii")
    return f"{_random.getrandbits(64):016x}"


def response_headers(request_id: str, seconds: float) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that all responses have: the request id, and the duration of the answer."""
    return (b"x-request-id", request_id.encode()), (b"server-timing", b"total;dur=%.3f" % (seconds * 1000))
