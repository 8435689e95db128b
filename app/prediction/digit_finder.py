"""Finds the digits in a picture with the finder, and cuts them out in MNIST's form. Knows no classifier.

Where the ink can be divided into digits in more than one way, all of them are returned.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.prediction.clusters import Cluster, find_clusters
from app.prediction.finder_maps import Pixels, RunFinder
from imaging import Box, Segment, box_of, cut_out_digit, halve, keep_surest, merge, take_out_of_ring

MAX_CANDIDATES = 800
"""With more finds than this, the rest is dropped: a sheet of 400 digits has fewer."""
_REDIVISION_COST = 1.0
"""What it costs to divide ink otherwise than the finder does, in nats."""
_SUREST_COST = 0.7
"""What it costs to leave out the less likely part of the ink, in nats."""
_SURE_WHOLE = 0.75
"""Of a digit of which the finder is so sure, no ink is left out."""
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


def find_digits(pixels: Pixels, run: RunFinder, *, thorough: bool = True) -> list[FoundDigit]:
    """Return the candidates for digits in a picture, uint8 (h, w, 3), in no order.

    Args:
        pixels: The picture.
        run: The finder.
        thorough: Whether to look for small digits even if there are large ones.

    """
    clusters = find_clusters(pixels, run, thorough=thorough)[:MAX_CANDIDATES]
    return [digit for number, cluster in enumerate(clusters) for digit in _cut_out_all(pixels, cluster, number)]


def _cut_out_all(pixels: Pixels, cluster: Cluster, number: int) -> Iterator[FoundDigit]:
    """Yield the candidates of one cluster, for each way to divide it into digits."""
    for division, (cost, parts) in enumerate(_divisions(cluster)):
        for part in parts:
            image = cut_out_digit(pixels, cluster.maps, part)
            if image.any():
                yield FoundDigit(image, box_of([part], cluster.maps), part.confidence, number, division, cost)


def _divisions(cluster: Cluster) -> Iterator[tuple[float, Sequence[Segment]]]:
    """Yield the ways to divide a cluster, each with its cost: as the cores say, and otherwise."""
    segments = cluster.segments
    yield 0.0, segments
    if len(segments) == 2:
        merged = merge(segments)
        if merged.width < 1.3 * merged.height:
            yield _REDIVISION_COST, [merged]
    elif len(segments) == 1:
        if segments[0].width > 1.1 * segments[0].height:
            yield _REDIVISION_COST, halve(segments[0])
        if segments[0].confidence < _SURE_WHOLE and (surest := keep_surest(segments[0], cluster.maps)):
            yield _SUREST_COST, [surest]
        if inner := take_out_of_ring(segments[0]):
            yield _RING_COST, [inner]
