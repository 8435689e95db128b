"""Interfaces for code that reports measurements. Callers need not know whether metrics or traces receive them."""

from typing import Protocol


class PreprocessingObserver(Protocol):
    """Receives the duration of each preprocessing."""

    def observe_preprocessing(self, seconds: float) -> None:
        """Record that one picture was preprocessed in `seconds`."""
