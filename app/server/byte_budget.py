"""How many bytes of requests a worker holds at once. Knows no HTTP.

One upload is bounded by its own limit. Hundreds of uploads that stop halfway would fill the memory all the same.
"""

from typing import Protocol


class Receiver(Protocol):
    """A connection that receives a request."""

    def drop(self) -> None:
        """Drop the request that is coming in, and release its bytes."""


class ByteBudget:
    """Counts the bytes of requests that are not answered yet.

    Where they become too many, the request that has waited longest for its next bytes is dropped. A client that sends
    is so preferred to one that has stopped.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._receiving: dict[Receiver, int] = {}  # the one whose last bytes are the oldest comes first
        self._received: dict[Receiver, int] = {}
        self._total = 0

    def receive(self, receiver: Receiver, count: int) -> None:
        """Count bytes that have come in; requests may be dropped, this one among them."""
        held = self._receiving.pop(receiver, 0) + self._received.pop(receiver, 0)
        self._receiving[receiver] = held + count
        self._total += count
        while self._total > self.max_bytes and self._receiving:
            stalled = next(iter(self._receiving))
            stalled.drop()
            self.release(stalled)

    def keep(self, receiver: Receiver) -> None:
        """Note that a request has come in whole: its bytes count until it is answered, and it is not dropped."""
        if receiver in self._receiving:
            self._received[receiver] = self._receiving.pop(receiver)

    def release(self, receiver: Receiver) -> None:
        """Count the bytes of one connection no longer."""
        self._total -= self._receiving.pop(receiver, 0) + self._received.pop(receiver, 0)
