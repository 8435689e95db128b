"""Limits how many requests one worker answers at once. Knows no HTTP."""

from app.errors import Overloaded


class ConcurrencyLimit:
    """Counts the requests that are being answered."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._active = 0

    def acquire(self) -> None:
        """Count one more request, which `release` takes back."""
        self._active += 1

    def release(self) -> None:
        """Count one request less."""
        self._active -= 1

    def refusal(self) -> Overloaded | None:
        """Return the error for one more request, or None if the limit allows it."""
        if self._active < self._max_requests:
            return None
        return Overloaded(f"The service is busy: it is answering {_count(self._active)}. Try again in a second.")


def _count(requests: int) -> str:
    return "one request" if requests == 1 else f"{requests:,} requests"
