"""Looks for the ink of digits with the finder, first in the whole picture and then from nearer. Cuts nothing out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.prediction.box_overlap import intersection_over_union
from app.prediction.finder_maps import Pixels, RunFinder, map_tiles, map_whole, map_window
from imaging import Area, Box, DigitMaps, Segment, bound_faint_ink, box_of, find_pieces, segment_digits

_FEW = 4
"""Up to this many clusters, each gets a window of its own."""
_NEAR_ENOUGH = 72
"""A digit of this longest side in the finder's picture, in pixels, needs no window of its own."""
_WINDOW = 2.2
"""The side of such a window, as a multiple of the longest side of the digit."""
_SMALL = 36
"""A digit or a piece of ink that is lower than this in the finder's picture, in pixels, is looked at from nearer."""
_LEAST_SMALL = {False: (0.5, 0.5), True: (0.02, 0.3)}
"""The least share of the ink in such pieces for a second and a third look, without and with a thorough search."""
_TILE_DIGIT = 40
"""The height of a digit in tiles, in pixels."""
_LEAST_STEP = 1.25
"""How much nearer such a look is at least."""
_MOST_STEP = 3.5
"""How much nearer such a look is at most: the height of tiny ink is uncertain."""
_BLIND_STEP = 2.5
"""How much nearer the next look is, where no ink was found."""
_MAX_TILES = 30
_MAX_ENLARGEMENT = 2.0
"""No picture is enlarged more than this in tiles: it has no more detail."""
_MAX_MAIN_CLUSTERS = 12
"""In a search that is not thorough, only so many clusters of noise and textures are returned, the most prominent."""
_SAME = 0.4
"""The least intersection over union of the boxes of two finds that are the same digit."""


class Cluster(NamedTuple):
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


def find_clusters(pixels: Pixels, run: RunFinder, *, thorough: bool) -> list[Cluster]:
    """Find digits, first in the whole picture, then from nearer where the ink is small or where there is none.

    Finds of two looks may overlap: the classifier has to choose.
    """
    maps = map_whole(pixels, run)
    found = _group(maps, segment_digits(maps))
    for least_share in _LEAST_SMALL[thorough]:
        scale = 2 * maps.scale
        area, height = _find_small_ink(maps, least_share, pixels)
        nearer = min(scale * min(_TILE_DIGIT / height, _MOST_STEP), _MAX_ENLARGEMENT)
        if nearer < _LEAST_STEP * scale:
            break
        maps = map_tiles(pixels, area, nearer, run, max_tiles=_MAX_TILES)
        found = [cluster for cluster in found if cluster.height >= _SMALL]
        found += _without(_group(maps, segment_digits(maps)), found)
    if not thorough:
        found = sorted(found, key=Cluster.prominence, reverse=True)[:_MAX_MAIN_CLUSTERS]
    return [_look_nearer(pixels, cluster, run) for cluster in found] if len(found) <= _FEW else found


def _find_small_ink(maps: DigitMaps, least_share: float, pixels: Pixels) -> tuple[Area, float]:
    """Return the part of the picture with small ink, and the height of that in the finder's picture, in pixels.

    With less than `least_share` of the ink in small pieces, nothing is small. Without any ink, all may be too small.
    """
    everything = 0, 0, pixels.shape[1], pixels.shape[0]
    pieces = find_pieces(maps)
    if not len(pieces.boxes):
        return everything, _TILE_DIGIT / _BLIND_STEP
    is_small = 2 * pieces.boxes[:, 3] < _SMALL
    if pieces.ink[is_small].sum() <= least_share * pieces.ink.sum():
        return everything, _TILE_DIGIT
    height = 2 * _weighted_median(pieces.boxes[is_small, 3], pieces.ink[is_small])
    left, top, columns, rows = bound_faint_ink(maps)  # other small digits leave no more than a trace
    margin = int(height)
    area = maps.to_picture(left - margin, top - margin, columns + 2 * margin, rows + 2 * margin)
    return _clip(*area, pixels), height


def _weighted_median(values: NDArray[np.int32], weights: NDArray[np.int32]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _without(clusters: Sequence[Cluster], others: Sequence[Cluster]) -> list[Cluster]:
    """Return the clusters that show other digits than `others`."""
    if not clusters or not others:
        return list(clusters)
    overlap = intersection_over_union([cluster.box for cluster in clusters], [other.box for other in others])
    return [cluster for cluster, best in zip(clusters, overlap.max(axis=1), strict=True) if best < _SAME]


def _group(maps: DigitMaps, segments: Sequence[Segment]) -> list[Cluster]:
    """Return the segments, those that touch each other together."""
    clusters = []
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
        clusters.append(Cluster(maps, [segments[member] for member in members]))
    return clusters


def _look_nearer(pixels: Pixels, cluster: Cluster, run: RunFinder) -> Cluster:
    """Look at the segments of one cluster again, in a window of their own."""
    left, top, width, height = cluster.box
    longest = max(width, height)
    if longest * cluster.maps.scale * 2 >= _NEAR_ENOUGH:
        return cluster
    side = _WINDOW * longest
    window = _clip(left + width / 2 - side / 2, top + height / 2 - side / 2, side, side, pixels)
    maps = map_window(pixels, window, run)
    segments = [
        segment
        for segment in segment_digits(maps)
        if _overlap(box_of([segment], maps), (left, top, width, height)) > 0.5
    ]
    return Cluster(maps, segments) if segments else cluster


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
