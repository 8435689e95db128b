"""The canvas on which a page is drawn: its colours, and the two maps that the finder has to predict."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
"""(h, w, 3): RGB, 0 to 255."""
Coverage = npt.NDArray[np.float32]
"""(h, w): the share of each pixel that is covered, 0 to 1."""
Colour = npt.NDArray[np.float32]
"""(3,): RGB, 0 to 255."""

_CORE = 0.5
"""The size of a digit's core relative to its bounding box: the cores of two digits that touch are apart."""
_TOUCHING = 0.3
"""The least coverage of a pixel by which a digit touches another one."""
_NEIGHBOURHOOD = np.ones((3, 3), np.uint8)
_MIN_VISIBLE = 0.9
"""A digit with a smaller share of its ink on the page is cut off: it is no whole digit."""


class Box(NamedTuple):
    """A rectangle on the canvas, in pixels. It may lie partly outside of it."""

    left: float
    top: float
    width: float
    height: float


class Canvas:
    """A page in the making."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.pixels: Pixels = np.full((height, width, 3), 255, np.float32)
        self.ink: Coverage = np.zeros((height, width), np.float32)
        """Where there is ink of whole digits."""
        self.cores = np.zeros((height, width), np.float32)
        """1 in the core of each whole digit: the ellipse of half the size of its bounding box."""
        self.contact = np.zeros((height, width), np.float32)
        """1 where whole digits touch, or are one pixel apart."""
        self.digits = 0
        """The number of whole digits."""

    def paint(self, coverage: Coverage, colour: Colour, left: int = 0, top: int = 0) -> None:
        """Paint with `coverage`, whose top left corner lies at (left, top), also partly outside of the canvas."""
        rows, columns, part = self._clip(coverage, left, top)
        if part.size:
            self.pixels[rows, columns] += part[..., np.newaxis] * (colour - self.pixels[rows, columns])

    def shade(self, factor: npt.NDArray[np.float32]) -> None:
        """Multiply the colours by `factor`, (h, w)."""
        self.pixels *= factor[..., np.newaxis]

    def add_digit(self, coverage: Coverage, left: int, top: int) -> bool:
        """Mark a digit of this coverage in both maps. Return False if it is cut off, and not marked."""
        rows, columns, part = self._clip(coverage, left, top)
        if not part.size or part.sum() < _MIN_VISIBLE * coverage.sum():
            return False
        self._mark_contact(coverage, left, top)
        self.ink[rows, columns] = np.maximum(self.ink[rows, columns], part)
        height, width = coverage.shape
        core = np.zeros((height, width), np.uint8)
        # A thin digit gets a core that survives the reduction of the map.
        axes = max(_CORE * width / 2, _CORE * height / 5, 1.0), max(_CORE * height / 2, 1.0)
        centre = round(width / 2), round(height / 2)
        cv2.ellipse(core, centre, (round(axes[0]), round(axes[1])), 0, 0, 360, 1, cv2.FILLED)
        self.cores[rows, columns] = np.maximum(
            self.cores[rows, columns], self._clip(core.astype(np.float32), left, top)[2]
        )
        self.digits += 1
        return True

    def _mark_contact(self, coverage: Coverage, left: int, top: int) -> None:
        rows, columns, part = self._clip(np.pad(coverage, 2), left - 2, top - 2)
        near, near_others = (
            cv2.dilate((ink > _TOUCHING).astype(np.uint8), _NEIGHBOURHOOD) > 0
            for ink in (part, self.ink[rows, columns])
        )
        self.contact[rows, columns] = np.maximum(self.contact[rows, columns], near & near_others)

    def mean_luminance(self, box: Box) -> float:
        """Return the mean luminance within `box`, 0 to 255."""
        left, top = max(int(box.left), 0), max(int(box.top), 0)
        part = self.pixels[
            top : max(int(box.top + box.height), top + 1), left : max(int(box.left + box.width), left + 1)
        ]
        return float(part.mean()) if part.size else 128.0

    def _clip(self, coverage: Coverage, left: int, top: int) -> tuple[slice, slice, Coverage]:
        """Return the rows and columns of the canvas that `coverage` covers, and the part of it on them."""
        height, width = coverage.shape
        first_row, first_column = max(top, 0), max(left, 0)
        last_row, last_column = min(top + height, self.height), min(left + width, self.width)
        part = coverage[first_row - top : max(last_row - top, 0), first_column - left : max(last_column - left, 0)]
        return slice(first_row, max(last_row, first_row)), slice(first_column, max(last_column, first_column)), part
