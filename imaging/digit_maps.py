"""Maps of a picture that say where the ink of digits is likely. Does not know who made them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, width and height, in pixels of the picture."""


class DigitMaps(NamedTuple):
    """The maps of a picture, or of a window of it.

    The cell (x, y) shows the pixel (x / scale + left, y / scale + top).
    """

    ink: NDArray[np.float32]
    """(h, w): how likely each cell is ink of a whole digit, 0 to 1."""
    cores: NDArray[np.float32]
    """(h, w): how likely each cell lies in the core of a digit, half as large as its box, 0 to 1."""
    scale: float
    """Cells for each pixel of the picture."""
    left: float = 0.0
    """Of the first cell, in pixels of the picture, as `top`."""
    top: float = 0.0

    def to_picture(self, left: int, top: int, width: int, height: int) -> Box:
        """Return a box of cells in pixels of the picture."""
        return left / self.scale + self.left, top / self.scale + self.top, width / self.scale, height / self.scale
