"""Digits in drawn maps: rectangles of ink, each with a core in its middle."""

import numpy as np

from imaging import DigitMaps, Segment, segment_digits

Cells = tuple[int, int, int, int]
"""Left, top, width and height."""


def draw_maps(*digits: Cells, strokes: tuple[Cells, ...] = ()) -> DigitMaps:
    """Draw digits with cores, and strokes without."""
    ink, cores = np.zeros((50, 90), np.float32), np.zeros((50, 90), np.float32)
    for left, top, width, height in (*digits, *strokes):
        ink[top : top + height, left : left + width] = 0.95
    for left, top, width, height in digits:
        rows = slice(top + height // 4, top + height - height // 4)
        cores[rows, left + width // 4 : left + width - width // 4] = 0.9
    return DigitMaps(ink, cores, scale=0.5)


def cells(segment: Segment) -> Cells:
    return segment.left, segment.top, segment.width, segment.height


def by_place(segments: list[Segment]) -> list[Segment]:
    return sorted(segments, key=cells)


def segment_of(maps: DigitMaps) -> Segment:
    """Return the only segment in the maps."""
    (segment,) = segment_digits(maps)
    return segment
