"""Interfaces (`typing.Protocol`) through which other packages report measurements to metrics and traces."""

from typing import Protocol


class PreprocessingObserver(Protocol):
    """Receives the duration of each preprocessing."""

    def observe_preprocessing(self, seconds: float) -> None:
        """Record that one picture was preprocessed in `seconds`."""
