"""Reads the fields of a header bit by bit, the most significant bit first. Knows no codec."""


class BitReader:
    """A position in some bytes."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next `count` bits as a number.

        Raises:
            ValueError: if there are fewer bits.

        """
        if count > self._left:
            message = "its header is truncated"
            raise ValueError(message)
        self._left -= count
        return (self._bits >> self._left) & ((1 << count) - 1)

    def read_exponential(self) -> int:
        """Return a number in the Exp-Golomb code: `ue(v)` of HEVC, and `uvlc()` of AV1. Raises ValueError as `read`."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
