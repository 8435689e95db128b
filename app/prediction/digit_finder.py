"""Finds the digits in a picture with the finder, and cuts them out in MNIST's form. Knows no classifier.

Where the ink can be divided into digits in more than one way, the others are tried only if that of the finder gives no
digits.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.prediction.clusters import Cluster, find_clusters
from app.prediction.finder_maps import Pixels, RunFinder
from imaging import Box, Segment, Span, box_of, cut_into_spans, cut_out_digit, keep_surest, merge, take_out_of_ring

MAX_CLUSTERS = 800
"""With more clusters than this, the rest is dropped: a sheet of 400 digits has fewer."""
_MERGING_COST = 1.0
"""What it costs to take what the finder separates for one digit, in nats."""
_CUT_COST = 0.6
"""What it costs to cut ink otherwise than between the cores, in nats."""
_CUT_MARGIN = 0.6
"""How far the energies of the parts have to be below the threshold, in nats: parts of letters may look like digits."""
_SLANTS = 0.0, 0.3
"""The slants of the cuts: upright, and as people write."""
_SUREST_COST = 0.7
"""What it costs to leave out the less likely part of the ink, in nats."""
_WIDE = 0.75
"""What is wider than this, as a share of its height, may be two digits that touch."""
_RING_COST = -2.0
"""What it costs to leave out ink that surrounds other ink, in nats: it is a ring, and no digit with something in it."""


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
    margin: float = 0.0
    """How far its energy has to be below the threshold, in nats."""
    start: int = 0
    """The cut of the ink at its left."""
    end: int = 1
    """The cut at its right. A chain of candidates from the first to the last cut is one way to divide the ink."""


class Finds(NamedTuple):
    """What was found in a picture."""

    digits: Sequence[FoundDigit]
    """One way to divide the ink of each cluster: that of the finder."""
    clusters: Sequence[Cluster]
    """`FoundDigit.cluster` is the index of its cluster."""


def find_digits(pixels: Pixels, run: RunFinder, *, thorough: bool = True) -> Finds:
    """Return the candidates for digits in a picture, uint8 (h, w, 3), in no order.

    Args:
        pixels: The picture.
        run: The finder.
        thorough: Whether to look for small digits even if there are large ones.

    """
    clusters = find_clusters(pixels, run, thorough=thorough)[:MAX_CLUSTERS]
    divisions = [_Division(0.0, _chain(cluster.segments)) for cluster in clusters]
    digits = [
        digit
        for number, division in enumerate(divisions)
        for digit in _cut_out(pixels, clusters[number], number, 0, division)
    ]
    return Finds(digits, clusters)


def divide_otherwise(
    pixels: Pixels, finds: Finds, clusters: Iterable[int], *, thorough: bool = True
) -> list[FoundDigit]:
    """Return the candidates for all other ways to divide the ink of some clusters.

    Only a `thorough` search looks for cuts between digits that touch.
    """
    return [
        digit
        for cluster in clusters
        for number, division in enumerate(_divisions(finds.clusters[cluster], thorough=thorough), start=1)
        for digit in _cut_out(pixels, finds.clusters[cluster], cluster, number, division)
    ]


class _Division(NamedTuple):
    """Ways to divide the ink of a cluster, with the same cost."""

    cost: float
    spans: Sequence[Span]
    margin: float = 0.0


def _chain(segments: Sequence[Segment]) -> list[Span]:
    """Return the spans of one way to divide the ink."""
    return [Span(index, index + 1, segment) for index, segment in enumerate(segments)]


def _cut_out(
    pixels: Pixels, cluster: Cluster, number: int, division_number: int, division: _Division
) -> Iterator[FoundDigit]:
    for start, end, segment in division.spans:
        box = box_of([segment], cluster.maps)
        image = cut_out_digit(pixels, cluster.maps, segment)
        yield FoundDigit(
            image, box, segment.confidence, number, division_number, division.cost, division.margin, start, end
        )


def _divisions(cluster: Cluster, *, thorough: bool) -> Iterator[_Division]:
    """Yield the other ways to divide a cluster, each with its cost."""
    segments = cluster.segments
    whole = merge(segments)
    if thorough and whole.width > _WIDE * whole.height:
        for slant in _SLANTS:
            yield _Division(_CUT_COST, cut_into_spans(whole, slant), _CUT_MARGIN)
    if len(segments) == 2 and whole.width < 1.3 * whole.height:
        yield _Division(_MERGING_COST, _chain([whole]))
    elif len(segments) == 1:
        if surest := keep_surest(whole, cluster.maps):
            yield _Division(_SUREST_COST, _chain([surest]))
        if inner := take_out_of_ring(whole):
            yield _Division(_RING_COST, _chain([inner]))
