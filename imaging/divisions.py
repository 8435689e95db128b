"""Other ways to divide the ink of digits that touch each other or something else. Knows no pixels."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.digit_maps import DigitMaps
from imaging.segments import Segment

_MIN_INNER_SHARE = 0.1
"""The least ink inside a ring that may be a digit, as a share of all ink."""
_SUREST = 0.75
"""The most likely ink has this share of the likelihood of the best tenth."""
_SUREST_SHARE = 0.25, 0.8
"""The least and the largest share of the most likely ink in all ink of a digit that something else may be joined to."""
_CUTS_PER_HEIGHT = 3
"""The cuts in a piece as wide as high."""
_CUT_DISTANCE = 0.1
"""The least distance of two cuts, as a share of the height."""
_SPAN = 0.12, 1.1
"""The least and the largest width of a digit, as a share of the height."""


class Span(NamedTuple):
    """The part of a segment between two cuts."""

    start: int
    """The number of the cut at its left."""
    end: int
    """The number of the cut at its right."""
    segment: Segment


def keep_surest(segment: Segment, maps: DigitMaps) -> Segment | None:
    """Return the most likely ink of a segment, if that is a large part and not all of it.

    Where a ring or a line touches a digit, its ink is less likely than the digit's.
    """
    likelihood = maps.ink[segment.top : segment.top + segment.height, segment.left : segment.left + segment.width]
    surest = segment.mask & (likelihood >= _SUREST * np.quantile(likelihood[segment.mask], 0.9))
    share = surest.sum() / segment.mask.sum()
    return _crop(segment, surest) if _SUREST_SHARE[0] < share < _SUREST_SHARE[1] else None


def take_out_of_ring(segment: Segment) -> Segment | None:
    """Return the ink that another piece of the ink surrounds, if there is any: a digit in a ring or a box."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(segment.mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return None
    outer = 1 + int((stats[1:, cv2.CC_STAT_WIDTH] * stats[1:, cv2.CC_STAT_HEIGHT]).argmax())
    left, top, width, height = stats[outer, :4]
    is_inside = (
        (stats[:, 0] > left)
        & (stats[:, 1] > top)
        & (stats[:, 0] + stats[:, 2] < left + width)
        & (stats[:, 1] + stats[:, 3] < top + height)
    )
    is_inside[0] = False  # what is no ink: all of it lies within a box without round corners
    inside = np.isin(pieces, np.flatnonzero(is_inside))
    return _crop(segment, inside) if inside.sum() >= _MIN_INNER_SHARE * segment.mask.sum() else None


def _crop(segment: Segment, mask: NDArray[np.bool_]) -> Segment:
    """Return the part of a segment that `mask`, bool of the same shape, covers."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    left, top = segment.left + int(columns[0]), segment.top + int(rows[0])
    return Segment(part, left, top, segment.confidence, frozenset())


def merge(segments: Sequence[Segment]) -> Segment:
    """Return the ink of several segments as one."""
    left, top = min(each.left for each in segments), min(each.top for each in segments)
    right, bottom = max(each.left + each.width for each in segments), max(each.top + each.height for each in segments)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for each in segments:
        mask[each.top - top : each.top - top + each.height, each.left - left : each.left - left + each.width] |= (
            each.mask
        )
    return Segment(mask, left, top, min(each.confidence for each in segments), frozenset())


def cut_into_spans(segment: Segment, slant: float) -> list[Span]:
    """Cut a segment where it has little ink from top to bottom, and return each part that is as wide as a digit.

    A way to divide the segment into digits is a chain of spans, each of which begins at the cut where the last one ends
    (over-segmentation: Casey and Lecolinet 1996, "A survey of methods and strategies in character segmentation").

    Args:
        segment: The segment.
        slant: By how many cells a cut moves to the left from one row to the next.

    """
    rows, columns = np.nonzero(segment.mask)
    across = np.rint(columns + slant * (rows - segment.height / 2)).astype(np.intp)
    across -= across.min()
    cuts = _choose_cuts(np.bincount(across), segment.height)
    spans = []
    for start, end in combinations(range(len(cuts)), 2):
        width = cuts[end] - cuts[start]
        is_inside = (across >= cuts[start]) & (across < cuts[end])
        if _SPAN[0] * segment.height <= width <= _SPAN[1] * segment.height and is_inside.any():
            mask = np.zeros_like(segment.mask)
            mask[rows[is_inside], columns[is_inside]] = True
            spans.append(Span(start, end, _crop(segment, mask)))
    return _in_whole_chains(spans, len(cuts) - 1)


def _choose_cuts(ink: NDArray[np.intp], height: int) -> list[int]:
    """Return the places of the cuts, both ends included: those with the least ink, and with a distance in between."""
    width = len(ink)
    distance = max(_CUT_DISTANCE * height, 1.0)
    most = round(_CUTS_PER_HEIGHT * width / height) + 1
    cuts = [0, width]
    for place in np.argsort(ink, kind="stable").tolist():
        if len(cuts) - 2 >= most:
            break
        if min(abs(place - cut) for cut in cuts) >= distance:
            cuts.append(place)
    return sorted(cuts)


def _in_whole_chains(spans: Sequence[Span], last: int) -> list[Span]:
    """Return the spans through which a chain leads from cut 0 to the cut `last`."""
    from_start, to_end = {0}, {last}
    for span in sorted(spans, key=lambda span: span.start):
        if span.start in from_start:
            from_start.add(span.end)
    for span in sorted(spans, key=lambda span: -span.end):
        if span.end in to_end:
            to_end.add(span.start)
    return [span for span in spans if span.start in from_start and span.end in to_end]
