"""Remove the printed lines of ruled and squared paper from an ink mask. Does not select the digit."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.normalise_stroke import stroke_width

_MIN_PICTURE_SIDE = 64
"""In a picture with a shorter side than this, in pixels, a ruled line cannot be told from a stroke."""

_MIN_LINE_INK = 0.6
"""The least ink on a ruled line: a share of the width of the picture."""

_MIN_COVERED_COLUMNS = 0.9
"""The least share of the picture's columns that contain ink where a ruled line crosses the picture."""

_MAX_TILT = np.deg2rad(6)
"""The largest angle between a ruled line and the edge of the picture, in radians."""

_MAX_THICKNESS = 1 / 24
"""The largest thickness of a ruled line, as a share of the picture's height. A stroke may be thicker."""

_MAX_THICKNESS_RATIO = 0.6
"""The largest thickness of a single ruled line, as a share of the stroke width of the remaining ink."""


class _RuledLine(NamedTuple):
    mask: NDArray[np.uint8]
    """uint8 (h, w): 1 where the line is the only ink, else 0."""
    thickness: float
    """In pixels."""


def remove_ruled_lines(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `ink`, uint8 (h, w), 1 for ink and 0 for background, without the lines that cross the whole picture.

    Where a stroke crosses a line, the ink is thicker than the line and stays, so the stroke is not broken. A single
    line is kept if it is the only ink or nearly as thick as the other ink: in a tight crop it may be a stroke.
    """
    height, width = ink.shape
    _, _, ink_width, ink_height = cv2.boundingRect(ink)
    spans_picture = ink_width >= _MIN_COVERED_COLUMNS * width or ink_height >= _MIN_COVERED_COLUMNS * height
    if min(height, width) < _MIN_PICTURE_SIDE or not spans_picture:
        return ink
    cleared = _remove_horizontal_lines(ink)
    return np.asarray(cv2.transpose(_remove_horizontal_lines(np.asarray(cv2.transpose(cleared), np.uint8))), np.uint8)


def _remove_horizontal_lines(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if cv2.countNonZero(cv2.reduce(ink, 0, cv2.REDUCE_MAX)) < _MIN_COVERED_COLUMNS * ink.shape[1]:
        return ink
    lines = [line for ends in _detect_horizontal_lines(ink) if (line := _trace_line(ink, ends)) is not None]
    if not lines:
        return ink
    cleared = np.asarray(ink & (1 - np.maximum.reduce([line.mask for line in lines])), np.uint8)
    return cleared if _are_ruled_lines(lines, cleared) else ink


def _detect_horizontal_lines(ink: NDArray[np.uint8]) -> list[tuple[float, float]]:
    """Return (row at the left edge, row at the right edge) of each nearly horizontal line, by decreasing votes.

    The method is the Hough transform (Duda and Hart 1972).
    """
    height, width = ink.shape
    min_votes = int(_MIN_LINE_INK * width)
    angles = {"min_theta": np.pi / 2 - _MAX_TILT, "max_theta": np.pi / 2 + _MAX_TILT}
    lines = cv2.HoughLines(ink, 1, np.deg2rad(0.5), min_votes, **angles)
    found: list[tuple[float, float]] = []
    for rho, theta in [] if lines is None else np.asarray(lines).reshape(-1, 2)[:400]:
        left = rho / np.sin(theta)
        right = (rho - (width - 1) * np.cos(theta)) / np.sin(theta)
        if all(abs((left + right) - (a + b)) / 2 > _max_thickness(height) for a, b in found):
            found.append((float(left), float(right)))
    return found


def _max_thickness(height: int) -> int:
    """Return the largest thickness of a ruled line in a picture of this height, in pixels."""
    return max(3, int(_MAX_THICKNESS * height))


def _trace_line(ink: NDArray[np.uint8], ends: tuple[float, float]) -> _RuledLine | None:
    """Return the line between the rows `ends`, or None if it does not reach both edges or is too thick."""
    height, width = ink.shape
    left_end, right_end = (0, round(ends[0])), (width - 1, round(ends[1]))
    max_thickness = _max_thickness(height)
    band = cv2.line(np.zeros_like(ink), left_end, right_end, color=1, thickness=2 * max_thickness + 1)
    band = np.asarray(band, np.uint8) & ink
    column_sums = band.sum(axis=0)
    edge = max(1, width // 16)
    reaches_edges = column_sums[:edge].any() and column_sums[-edge:].any()
    if not reaches_edges or np.count_nonzero(column_sums) < 0.8 * width:
        return None
    thickness = float(np.median(column_sums[column_sums > 0]))
    if thickness > max_thickness:
        return None
    max_run = int(1.5 * thickness) + 1
    thicker = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((max_run + 1, 1), np.uint8)), np.uint8)
    return _RuledLine(band & (1 - thicker), thickness)


def _are_ruled_lines(lines: list[_RuledLine], cleared: NDArray[np.uint8]) -> bool:
    """Tell whether `cleared` still contains a digit and, if there is one line only, whether the line is thinner."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cleared)
    if len(stats) == 1:
        return False
    largest = 1 + int(stats[1:, 2:4].max(axis=1).argmax())
    if stats[largest, 2:4].max() < max(cleared.shape) / 12:
        return False
    width = stroke_width((labels == largest).astype(np.uint8))
    return len(lines) > 1 or lines[0].thickness < _MAX_THICKNESS_RATIO * width
