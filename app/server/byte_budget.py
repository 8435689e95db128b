"""Limits the bytes of unanswered requests that one worker holds in memory. Knows no HTTP.

Each upload has a limit of its own, but hundreds of uploads that stop halfway would still fill the memory.
"""

from typing import Protocol


class Receiver(Protocol):
    """A connection that receives a request."""

    def drop(self) -> None:
        """Drop the request that is being received, and its bytes."""


class ByteBudget:
    """Counts the bytes of requests that are not answered.

    If they exceed the limit, the request that has waited longest for its next bytes is dropped. So clients that are
    sending are preferred to clients that have stopped.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._receiving: dict[Receiver, int] = {}  # in the order of their last bytes, the oldest first
        self._received: dict[Receiver, int] = {}
        self._total = 0

    def add(self, receiver: Receiver, count: int) -> None:
        """Add received bytes. This may drop requests, including this one."""
        previous = self._receiving.pop(receiver, 0) + self._received.pop(receiver, 0)
        self._receiving[receiver] = previous + count
        self._total += count
        while self._total > self.max_bytes and self._receiving:
            stalled = next(iter(self._receiving))
            stalled.drop()
            self.release(stalled)

    def complete(self, receiver: Receiver) -> None:
        """Report that a request is received completely. Its bytes count until `release`, and it is not dropped."""
        if receiver in self._receiving:
            self._received[receiver] = self._receiving.pop(receiver)

    def release(self, receiver: Receiver) -> None:
        """Remove the bytes of one connection."""
        self._total -= self._receiving.pop(receiver, 0) + self._received.pop(receiver, 0)
