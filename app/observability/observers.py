"""Interfaces (`typing.Protocol`) through which other packages report measurements to metrics and traces."""

from typing import Protocol


class PictureObserver(Protocol):
    """Receives the durations of the stages of a picture, in the context of its request."""

    def observe_preprocessing(self, seconds: float) -> None:
        """Record that one picture was preprocessed in `seconds`."""

    def observe_finding(self, seconds: float) -> None:
        """Record that the digits in one picture were found in `seconds`."""
