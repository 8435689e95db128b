"""Ruled and squared paper: takes the printed lines out of the ink. Knows nothing of which ink is the digit."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.normalise_stroke import stroke_width

_SMALLEST_SIDE = 64
"""In a picture with a side of fewer pixels, a ruling cannot be told from a stroke."""

_SPAN = 0.6
"""A ruling is ink on at least this share of a straight line across the picture."""

_REACH = 0.9
"""There is ink in at least this share of the columns of a picture that a ruling crosses."""

_TILT = np.deg2rad(6)
"""The most that a ruling may be turned, in radians."""

_THICKEST = 1 / 24
"""A ruling is at most this share of the picture's height thick; a stroke may be more."""

_OTHER_PEN = 0.6
"""A lone line is a ruling only if it is thinner than this share of the strokes beside it."""


class _Ruling(NamedTuple):
    pixels: NDArray[np.uint8]
    """(h, w): 1 where the line is the only ink."""
    thickness: float


def remove_ruled_lines(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `ink`, uint8 (h, w), 1 ink and 0 paper, without lines that cross the whole picture.

    Where a stroke crosses a line, the ink is thicker than the line and stays, so the stroke is not broken. A line
    that is all the ink there is, or a lone one of the digit's own pen, is no ruling: the 1 of a tight crop stays.
    """
    height, width = ink.shape
    _, _, ink_width, ink_height = cv2.boundingRect(ink)
    if min(height, width) < _SMALLEST_SIDE or (ink_width < _REACH * width and ink_height < _REACH * height):
        return ink
    level = _without_level_rulings(ink)
    return np.asarray(cv2.transpose(_without_level_rulings(np.asarray(cv2.transpose(level), np.uint8))), np.uint8)


def _without_level_rulings(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if cv2.countNonZero(cv2.reduce(ink, 0, cv2.REDUCE_MAX)) < _REACH * ink.shape[1]:
        return ink
    rulings = [ruling for line in _level_lines(ink) if (ruling := _follow(ink, line)) is not None]
    if not rulings:
        return ink
    cleared = np.asarray(ink & (1 - np.maximum.reduce([ruling.pixels for ruling in rulings])), np.uint8)
    return cleared if _are_rulings(rulings, cleared) else ink


def _level_lines(ink: NDArray[np.uint8]) -> list[tuple[float, float]]:
    """Return (row at the left edge, row at the right edge) of each nearly level line, the clearest first."""
    height, width = ink.shape
    votes = int(_SPAN * width)
    lines = cv2.HoughLines(ink, 1, np.deg2rad(0.5), votes, min_theta=np.pi / 2 - _TILT, max_theta=np.pi / 2 + _TILT)
    found: list[tuple[float, float]] = []
    for rho, theta in [] if lines is None else np.asarray(lines).reshape(-1, 2)[:400]:
        left = rho / np.sin(theta)
        right = (rho - (width - 1) * np.cos(theta)) / np.sin(theta)
        if all(abs((left + right) - (a + b)) / 2 > _reach(height) for a, b in found):
            found.append((float(left), float(right)))
    return found


def _reach(height: int) -> int:
    """Return how far from its middle, in pixels, a ruling is looked for."""
    return max(3, int(_THICKEST * height))


def _follow(ink: NDArray[np.uint8], line: tuple[float, float]) -> _Ruling | None:
    """Return the ruling along `line`, or None if it does not reach both edges or is too thick to be one."""
    height, width = ink.shape
    ends = (0, round(line[0])), (width - 1, round(line[1]))
    band = np.asarray(cv2.line(np.zeros_like(ink), *ends, color=1, thickness=2 * _reach(height) + 1), np.uint8) & ink
    columns = band.sum(axis=0)
    edge = max(1, width // 16)
    if not (columns[:edge].any() and columns[-edge:].any()) or np.count_nonzero(columns) < 0.8 * width:
        return None
    thickness = float(np.median(columns[columns > 0]))
    if thickness > _reach(height):
        return None
    longest = int(1.5 * thickness) + 1
    thick = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((longest + 1, 1), np.uint8)), np.uint8)
    return _Ruling(band & (1 - thick), thickness)


def _are_rulings(rulings: list[_Ruling], cleared: NDArray[np.uint8]) -> bool:
    """Tell whether a digit is left without the `rulings`, in another pen unless they are several."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cleared)
    if len(stats) == 1:
        return False
    largest = 1 + int(stats[1:, 2:4].max(axis=1).argmax())
    if stats[largest, 2:4].max() < max(cleared.shape) / 12:
        return False
    width = stroke_width((labels == largest).astype(np.uint8))
    return len(rulings) > 1 or rulings[0].thickness < _OTHER_PEN * width
