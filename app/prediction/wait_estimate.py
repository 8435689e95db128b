"""Estimates how long one more picture would wait for its turn, and refuses it if too long. Knows no requests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import Overloaded

_SMOOTHING = 0.2
"""The weight of the newest picture in the moving average of the time for a picture."""


class WaitEstimate:
    """The pictures that wait for a step that takes one of them at a time, and how long the step takes."""

    def __init__(
        self,
        step: str,
        *,
        longest_wait_seconds: float,
        initial_seconds: float,
        longest_running_seconds: Callable[[], float] = lambda: 0.0,
        always_accepted: int = 2,
    ) -> None:
        """Take the limit, and an estimate.

        Args:
            step: what happens to a picture in the step, as in "before it is decoded".
            longest_wait_seconds: the longest wait that is accepted.
            initial_seconds: the estimate for a picture before there was any.
            longest_running_seconds: returns for how long the oldest picture has been in the step.
            always_accepted: this many pictures are accepted whatever their wait, so that a few slow ones are answered.

        """
        self._step = step
        self._longest_wait_seconds = longest_wait_seconds
        self._longest_running_seconds = longest_running_seconds
        self._always_accepted = always_accepted
        self._waiting = 0  # in the step or before it
        self._mean_seconds = initial_seconds  # for one picture, a moving average

    def overload_error(self, received: int = 0) -> Overloaded | None:
        """Return the error for one more picture if it would wait too long; None if it is accepted.

        Args:
            received: how many such pictures the service has received and not answered. Some of them may not have
                reached this step yet.

        """
        before = max(self._waiting, received)
        # A picture that has taken long so far may take as long again.
        wait_seconds = max(before * self._mean_seconds, self._longest_running_seconds())
        if before < self._always_accepted or wait_seconds <= self._longest_wait_seconds:
            return None
        return Overloaded(
            f"The service is busy: the picture would wait {wait_seconds * 1000:.0f} milliseconds before {self._step}. "
            "Try again in a second."
        )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a picture that waits for the step, or is in it.

        Raises:
            Overloaded: if it would wait too long.

        """
        if error := self.overload_error():
            raise error
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def observe(self, seconds: float) -> None:
        """Record how long the step took for a picture."""
        self._mean_seconds += _SMOOTHING * (seconds - self._mean_seconds)
