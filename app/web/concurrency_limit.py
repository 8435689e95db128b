"""Limits the number of concurrent requests of one worker. Knows no HTTP."""

from app.errors import Overloaded


class ConcurrencyLimit:
    """Counts the requests in progress."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._active = 0

    def acquire(self) -> None:
        """Add one request to the count."""
        self._active += 1

    def release(self) -> None:
        """Remove one request from the count."""
        self._active -= 1

    def overload_error(self) -> Overloaded | None:
        """Return the error if one more request exceeds the limit, or None."""
        if self._active < self._max_requests:
            return None
        return Overloaded(f"The service is busy: it is answering {_count(self._active)}. Try again in a second.")


def _count(requests: int) -> str:
    return "one request" if requests == 1 else f"{requests:,} requests"
