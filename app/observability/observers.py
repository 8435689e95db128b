"""What the other rooms report to, as protocols: they need not know whether metrics or traces are behind."""

from typing import Protocol


class PreprocessingObserver(Protocol):
    """Is told how long the preprocessing of a picture took."""

    def read(self, seconds: float) -> None:
        """Note one picture, and the seconds that it took."""
