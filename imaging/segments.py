"""Separate the digits in maps of a picture: which ink belongs to which digit. Knows no pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.digit_maps import Box, DigitMaps

_CORE = 0.4
"""The least likelihood of a cell in a core."""
_INK = 0.12
"""The least likelihood of a cell with ink."""
_FAINT_INK = 0.03
"""The least likelihood of a cell that may be ink of a digit too small to be seen."""
_SURE_INK = 0.2
"""The least likelihood of a cell that is ink by itself. Other ink is near such a cell."""
_WEAK_REACH = 3
"""The side of the square round a cell with sure ink in which other ink counts, in cells."""
_MIN_CORE_PEAK = 0.45
"""The least likelihood of the best cell of a core."""
_MIN_INK_CELLS = 4
_OWN_SHARE = 0.2
"""A piece of ink between two digits is divided if each has more than this share of it."""
_REACH = 1.0
"""The largest distance of ink from the core of its digit, in heights of the core."""
_LOOSE = 0.6
"""A piece of ink that is lower than this, as a share of the usual height of a digit, is no digit by itself."""
_MIN_TRACE = 0.15
"""The least likelihood of a core in the box of a piece of ink that is a digit without a core."""


class Segment(NamedTuple):
    """A digit in the maps."""

    mask: NDArray[np.bool_]
    """(h, w) within its box: its ink."""
    left: int
    """Of its box, in cells, as `top`."""
    top: int
    confidence: float
    """How sure the finder is of its core and of its ink, 0 to 1."""
    touching: frozenset[int]
    """The indices of the digits whose ink touches it."""

    @property
    def width(self) -> int:
        """In cells."""
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        """In cells."""
        return int(self.mask.shape[0])


def box_of(segments: Sequence[Segment], maps: DigitMaps) -> Box:
    """Return the bounding box of segments in the picture."""
    left, top = min(each.left for each in segments), min(each.top for each in segments)
    right, bottom = max(each.left + each.width for each in segments), max(each.top + each.height for each in segments)
    return maps.to_picture(left, top, right - left, bottom - top)


def segment_digits(maps: DigitMaps) -> list[Segment]:
    """Return the digits in the maps, in no order.

    A digit is a connected piece of ink, with or without a core; or the part of a piece with several cores that is
    nearest to one of them. Small pieces belong to the digit whose core is near.
    """
    pieces = find_pieces(maps)
    cores = _find_cores(maps.cores)
    if not len(pieces.boxes):
        return []
    owners, confidences = _assign_ink(pieces, cores, maps.cores)
    return _make_segments(maps, owners, confidences)


class Pieces(NamedTuple):
    """The n connected pieces of ink in the maps."""

    labels: NDArray[np.int32]
    """(h, w): the number of the piece that each cell belongs to, 1 to n; 0 for none."""
    boxes: NDArray[np.int32]
    """(n, 4): left, top, width and height, in cells."""
    ink: NDArray[np.int32]
    """(n,): their cells."""


def find_pieces(maps: DigitMaps) -> Pieces:
    """Return the connected pieces of ink, without those of a few cells."""
    sure = (maps.ink > _SURE_INK).astype(np.uint8)
    near_sure = cv2.dilate(sure, np.ones((_WEAK_REACH, _WEAK_REACH), np.uint8)) > 0
    ink = ((maps.ink > _INK) & near_sure).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    is_kept = stats[:, cv2.CC_STAT_AREA] >= _MIN_INK_CELLS
    is_kept[0] = False
    numbers = np.where(is_kept, np.cumsum(is_kept), 0).astype(np.int32)
    kept = np.asarray(stats[is_kept], np.int32)
    return Pieces(numbers[labels], kept[:, :4], kept[:, cv2.CC_STAT_AREA])


def bound_faint_ink(maps: DigitMaps) -> tuple[int, int, int, int]:
    """Return the bounding box of all that may be ink: left, top, width and height, in cells."""
    left, top, width, height = cv2.boundingRect((maps.ink > _FAINT_INK).astype(np.uint8))
    return left, top, width, height


class _Cores(NamedTuple):
    """The n cores in a map."""

    labels: NDArray[np.int32]
    """(h, w): the number of the core that each cell belongs to, 1 to n; 0 for none."""
    heights: NDArray[np.int32]
    """(n,): in cells."""
    peaks: NDArray[np.float64]
    """(n,): the likelihood of their best cells."""


def _find_cores(likelihood: NDArray[np.float32]) -> _Cores:
    """Return the cores, without those of which the finder is not sure."""
    smooth = cv2.blur(likelihood, (3, 3))  # thin strokes divide the core of their digit
    count, labels_, stats_, _ = cv2.connectedComponentsWithStats((smooth > _CORE).astype(np.uint8))
    labels, stats = np.asarray(labels_, np.int32), np.asarray(stats_, np.int32)
    peaks = np.zeros(count)
    in_core = labels > 0
    np.maximum.at(peaks, labels[in_core], likelihood[in_core])
    is_kept = peaks >= _MIN_CORE_PEAK
    numbers = np.where(is_kept, np.cumsum(is_kept), 0).astype(np.int32)
    return _Cores(numbers[labels], stats[is_kept, cv2.CC_STAT_HEIGHT], peaks[is_kept])


def _assign_ink(
    pieces: Pieces, cores: _Cores, likelihood: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the number of the digit that each cell belongs to, int32 (h, w), 0 for none; and how sure each digit is.

    Digit k has core k. The digits without a core follow.
    """
    core_count = len(cores.heights)
    heights = pieces.boxes[:, 3]
    usual = 2 * float(np.median(cores.heights)) if core_count else float(np.median(heights))
    is_loose = heights < _LOOSE * usual
    digits, divided = _assign_pieces(pieces, cores, is_loose) if core_count else (np.zeros(len(heights), np.int32), {})
    peaks = list(cores.peaks)
    near_cores = cv2.dilate((cores.labels > 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    traces = np.where(near_cores, 0, likelihood)
    for piece in np.flatnonzero((digits == 0) & ~is_loose).tolist():
        left, top, width, height = pieces.boxes[piece]
        peak = float(traces[top : top + height, left : left + width].max())
        if peak >= _MIN_TRACE:
            peaks.append(peak)
            digits[piece] = len(peaks)
    owners = np.concatenate([[0], digits]).astype(np.int32)[pieces.labels]
    for piece, own in divided.items():
        _divide(owners, pieces, piece, cores, own)
    return owners, np.array([0.0, *peaks])


def _assign_pieces(
    pieces: Pieces, cores: _Cores, is_loose: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], dict[int, list[int]]]:
    """Return the core of each piece, (n,), 0 for none; and the cores of each piece that has several."""
    distance, nearest = _find_nearest_core(cores.labels)
    reach = np.concatenate([[1], np.maximum(cores.heights, 2)])[nearest]
    is_near = (pieces.labels > 0) & (distance <= _REACH * reach)
    # Which core is near which piece, and how many cells of it: (pairs,) each.
    (near_cores, near_pieces), counts = np.unique(
        np.stack([nearest[is_near], pieces.labels[is_near] - 1]), axis=1, return_counts=True
    )
    digits = np.zeros(len(pieces.boxes), np.int32)
    own: dict[int, list[int]] = {}
    # The pairs with the most cells first: the first piece of a core is its digit, and a loose piece has one core.
    has_piece = np.zeros(len(cores.heights) + 1, np.bool_)
    loose = []
    for pair in np.argsort(-counts, kind="stable"):
        core, piece = int(near_cores[pair]), int(near_pieces[pair])
        if not has_piece[core]:
            has_piece[core] = True
            own.setdefault(piece, []).append(core)
        elif is_loose[piece]:
            loose.append((core, piece))
    for piece, first in own.items():
        digits[piece] = first[0]
    for core, piece in loose:
        if not digits[piece]:
            digits[piece] = core
    return digits, {piece: several for piece, several in own.items() if len(several) > 1}


def _divide(owners: NDArray[np.int32], pieces: Pieces, piece: int, cores: _Cores, own: Sequence[int]) -> None:
    """Divide a piece among its cores, in place: each cell belongs to the nearest one."""
    left, top, width, height = pieces.boxes[piece]
    part = np.s_[top : top + height, left : left + width]
    labels = np.where(np.isin(cores.labels[part], own), cores.labels[part], 0).astype(np.int32)
    if np.count_nonzero(np.unique(labels)) < 2:
        return
    inside = pieces.labels[part] == piece + 1
    _, nearest = _find_nearest_core(labels)
    sizes = np.bincount(nearest[inside], minlength=max(own) + 1)
    main = int(sizes.argmax())
    # The end of a stroke may lie nearer to the core of the next digit than to its own.
    is_main = sizes < _OWN_SHARE * sizes.max()
    owners[part][inside] = np.where(is_main[nearest], main, nearest)[inside]


def _find_nearest_core(core_labels: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the distance of each cell from the nearest core, in cells, and the label of that core."""
    distance, regions = cv2.distanceTransformWithLabels(
        (core_labels == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    in_core = core_labels > 0
    label_of_region = np.zeros(int(regions.max()) + 1, np.int32)
    label_of_region[regions[in_core]] = core_labels[in_core]
    return np.asarray(distance, np.float32), label_of_region[regions]


def _make_segments(maps: DigitMaps, owners: NDArray[np.int32], peaks: NDArray[np.float64]) -> list[Segment]:
    neighbours = _find_touching(owners)
    boxes = _boxes(owners)
    index_of = {label: index for index, label in enumerate(boxes)}
    segments = []
    for label, (left, top, right, bottom) in boxes.items():
        mask = owners[top:bottom, left:right] == label
        sureness = float(maps.ink[top:bottom, left:right][mask].mean())
        touching = frozenset(index_of[other] for other in neighbours.get(label, ()) if other in index_of)
        segments.append(Segment(mask, left, top, float(min(peaks[label], sureness)), touching))
    return segments


def _boxes(owners: NDArray[np.int32]) -> dict[int, tuple[int, int, int, int]]:
    """Return left, top, right and bottom of the cells of each label, without the labels of too few cells."""
    rows, columns = np.nonzero(owners)
    labels = owners[rows, columns]
    order = np.argsort(labels, kind="stable")
    rows, columns = rows[order], columns[order]
    found, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    ends = [
        reduce(places, starts) + shift
        for reduce, shift in ((np.minimum.reduceat, 0), (np.maximum.reduceat, 1))
        for places in (columns, rows)
    ]
    boxes = zip(*(end.tolist() for end in ends), strict=True)
    return {int(label): box for label, count, box in zip(found, counts, boxes, strict=True) if count >= _MIN_INK_CELLS}


def _find_touching(owners: NDArray[np.int32]) -> dict[int, set[int]]:
    """Return which labels have cells next to each other."""
    found: dict[int, set[int]] = {}
    for a, b in (
        (owners[:, :-1], owners[:, 1:]),
        (owners[:-1], owners[1:]),
        (owners[:-1, :-1], owners[1:, 1:]),
        (owners[1:, :-1], owners[:-1, 1:]),
    ):
        differ = (a != b) & (a > 0) & (b > 0)
        for first, second in {(int(x), int(y)) for x, y in zip(a[differ], b[differ], strict=True)}:
            found.setdefault(first, set()).add(second)
            found.setdefault(second, set()).add(first)
    return found
