"""Finds the digits in a picture with the finder, and cuts them out in MNIST's form. Knows no classifier.

A first look at the whole picture finds where digits are. A second look, nearer, finds their ink.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.prediction.box_overlap import intersection_over_union
from app.prediction.finder_maps import Pixels, RunFinder, map_tiles, map_whole, map_window
from imaging import (
    Area,
    Box,
    DigitMaps,
    Segment,
    box_of,
    cut_out_digit,
    find_pieces,
    halve,
    keep_surest,
    merge,
    segment_digits,
    take_out_of_ring,
)

MAX_CANDIDATES = 800
"""With more finds than this, the rest is dropped: a sheet of 400 digits has fewer."""
_MAX_MAIN_CANDIDATES = 12
"""The same, in a search that is not thorough: of noise and textures, only the most likely are looked at."""
_FEW = 4
"""Up to this many digits, each gets a window of its own."""
_NEAR_ENOUGH = 72
"""A digit of this longest side in the finder's picture, in pixels, needs no window of its own."""
_WINDOW = 2.2
"""The side of such a window, as a multiple of the longest side of the digit."""
_SMALL = 36
"""A digit or a piece of ink that is lower than this in the finder's picture, in pixels, is looked at from nearer."""
_LEAST_SMALL = {False: 0.5, True: 0.02}
"""The least share of the ink in such pieces for another look, without and with a thorough search."""
_TILE_DIGIT = 48
"""The height of a digit in tiles, in pixels."""
_MAX_NEARER = 2
"""The most looks from nearer and nearer after the first."""
_LEAST_STEP = 1.25
"""How much nearer such a look is at least."""
_BLIND_STEP = 2.5
"""How much nearer the next look is, where no ink was found."""
_MAX_TILES = 30
_MAX_ENLARGEMENT = 2.0
"""No picture is enlarged more than this in tiles: it has no more detail."""
_REDIVISION_COST = 1.0
"""What it costs to divide ink otherwise than the finder does, in nats."""
_SUREST_COST = 0.7
"""What it costs to leave out the less likely part of the ink, in nats."""
_RING_COST = -2.0
"""What it costs to leave out ink that surrounds other ink, in nats: it is a ring, and no digit with something in it."""
_SAME = 0.4
"""The least intersection over union of the boxes of two finds that are the same digit."""


class FoundDigit(NamedTuple):
    """A candidate for a digit of the picture."""

    image: NDArray[np.uint8]
    """(28, 28), in MNIST's form."""
    box: Box
    confidence: float
    """How sure the finder is, 0 to 1."""
    cluster: int
    """Candidates of one cluster share their ink."""
    division: int
    """Candidates of one cluster and division belong together: they are one way to divide the ink into digits."""
    cost: float
    """What this division costs against the finder's own, in nats of energy."""


def find_digits(pixels: Pixels, run: RunFinder, *, thorough: bool = True) -> list[FoundDigit]:
    """Return the candidates for digits in a picture, uint8 (h, w, 3), in no order.

    Args:
        pixels: The picture.
        run: The finder.
        thorough: Whether to look for small digits even if there are large ones.

    """
    looks = _look(pixels, run, thorough=thorough)
    if not thorough:
        looks = sorted(looks, key=_Look.prominence, reverse=True)[:_MAX_MAIN_CANDIDATES]
    if len(looks) <= _FEW:
        looks = [_look_nearer(pixels, look, run) for look in looks]
    return [digit for cluster, look in enumerate(looks) for digit in _cut_out_all(pixels, look, cluster)]


class _Look(NamedTuple):
    """A digit, or digits that touch, in the maps that show them best."""

    maps: DigitMaps
    segments: Sequence[Segment]

    @property
    def box(self) -> Box:
        """The bounding box in the picture."""
        return box_of(self.segments, self.maps)

    def prominence(self) -> float:
        """Return how sure and how large it is."""
        *_, width, height = self.box
        return max(segment.confidence for segment in self.segments) * float(np.sqrt(width * height))

    @property
    def height(self) -> float:
        """The height of its digits in the finder's picture, in pixels."""
        return 2 * float(np.median([segment.height for segment in self.segments]))


def _look(pixels: Pixels, run: RunFinder, *, thorough: bool) -> list[_Look]:
    """Find digits, first in the whole picture, then from nearer where the ink is small or where there is none.

    Finds of two looks may overlap: the classifier has to choose.
    """
    maps = map_whole(pixels, run)
    found = _group(maps, segment_digits(maps))
    for _ in range(_MAX_NEARER):
        scale = 2 * maps.scale
        area, height = _find_small_ink(maps, _LEAST_SMALL[thorough], pixels)
        nearer = min(scale * _TILE_DIGIT / height, _MAX_ENLARGEMENT)
        if nearer < _LEAST_STEP * scale:
            break
        maps = map_tiles(pixels, area, nearer, run, max_tiles=_MAX_TILES)
        found = [look for look in found if look.height >= _SMALL]
        found += _without(_group(maps, segment_digits(maps)), found)
    return found[:MAX_CANDIDATES]


def _find_small_ink(maps: DigitMaps, least_share: float, pixels: Pixels) -> tuple[Area, float]:
    """Return the part of the picture with small pieces of ink, and their median height in the finder's picture.

    With less than `least_share` of the ink in small pieces, nothing is small. Without any ink, all may be too small.
    """
    everything = 0, 0, pixels.shape[1], pixels.shape[0]
    pieces = find_pieces(maps)
    if not len(pieces.boxes):
        return everything, _TILE_DIGIT / _BLIND_STEP
    is_small = 2 * pieces.boxes[:, 3] < _SMALL
    if pieces.ink[is_small].sum() <= least_share * pieces.ink.sum():
        return everything, _TILE_DIGIT
    boxes, ink = pieces.boxes[is_small], pieces.ink[is_small]
    height = 2 * _weighted_median(boxes[:, 3], ink)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    margin = int(height)
    area = maps.to_picture(left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin)
    return _clip(*area, pixels), height


def _weighted_median(values: NDArray[np.int32], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _without(looks: Sequence[_Look], others: Sequence[_Look]) -> list[_Look]:
    """Return the looks that show other digits than `others`."""
    if not looks or not others:
        return list(looks)
    overlap = intersection_over_union([look.box for look in looks], [other.box for other in others])
    return [look for look, best in zip(looks, overlap.max(axis=1), strict=True) if best < _SAME]


def _group(maps: DigitMaps, segments: Sequence[Segment]) -> list[_Look]:
    """Return the segments, those that touch each other together."""
    looks = []
    seen: set[int] = set()
    for index in range(len(segments)):
        if index in seen:
            continue
        members, waiting = [], [index]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            members.append(current)
            waiting.extend(other for other in segments[current].touching if other < len(segments))
        looks.append(_Look(maps, [segments[member] for member in members]))
    return looks


def _look_nearer(pixels: Pixels, look: _Look, run: RunFinder) -> _Look:
    """Look at the segments of one cluster again, in a window of their own."""
    left, top, width, height = look.box
    longest = max(width, height)
    if longest * look.maps.scale * 2 >= _NEAR_ENOUGH:
        return look
    side = _WINDOW * longest
    window = _clip(left + width / 2 - side / 2, top + height / 2 - side / 2, side, side, pixels)
    maps = map_window(pixels, window, run)
    segments = [
        segment
        for segment in segment_digits(maps)
        if _overlap(box_of([segment], maps), (left, top, width, height)) > 0.5
    ]
    return _Look(maps, segments) if segments else look


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the share of `box` that lies in `other`."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    return max(width, 0) * max(height, 0) / max(box[2] * box[3], 1e-6)


def _clip(left: float, top: float, width: float, height: float, pixels: Pixels) -> Area:
    """Return the part of a box that lies in the picture, in whole pixels: at least one."""
    rows, columns = pixels.shape[:2]
    x, y = min(max(round(left), 0), columns - 1), min(max(round(top), 0), rows - 1)
    right, bottom = min(round(left + width), columns), min(round(top + height), rows)
    return x, y, max(right - x, 1), max(bottom - y, 1)


def _cut_out_all(pixels: Pixels, look: _Look, cluster: int) -> Iterator[FoundDigit]:
    """Yield the candidates of one cluster, for each way to divide it into digits."""
    for division, (cost, parts) in enumerate(_divisions(look)):
        for part in parts:
            image = cut_out_digit(pixels, look.maps, part)
            if image.any():
                yield FoundDigit(image, box_of([part], look.maps), part.confidence, cluster, division, cost)


def _divisions(look: _Look) -> Iterator[tuple[float, Sequence[Segment]]]:
    """Yield the ways to divide a cluster, each with its cost: as the cores say, and otherwise."""
    segments = look.segments
    yield 0.0, segments
    if len(segments) == 2:
        merged = merge(segments)
        if merged.width < 1.3 * merged.height:
            yield _REDIVISION_COST, [merged]
    elif len(segments) == 1:
        if segments[0].width > 1.1 * segments[0].height:
            yield _REDIVISION_COST, halve(segments[0])
        if surest := keep_surest(segments[0], look.maps):
            yield _SUREST_COST, [surest]
        if inner := take_out_of_ring(segments[0]):
            yield _RING_COST, [inner]
