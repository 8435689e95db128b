"""Evaluates the maps of a finder on pages, and chooses its thresholds. Knows only arrays of numbers.

Two measures. The F1 score of the ink compares cells: a cell is ink if one of its pixels is at least half ink of a whole
digit. The digits are counted by their cores: a find is a connected component of the map of cores above the threshold.
It finds a digit if its centre lies in the core of the digit, and if no other find did so before. All other finds are
false.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.components import find_components
from training.data.pages import Pages

Maps = npt.NDArray[np.float32]
"""(n, 96, 96): a probability for each cell of n pages."""
FindMaps = Callable[[npt.NDArray[np.uint8]], tuple[Maps, Maps]]
"""From pictures, uint8 (n, 192, 192, 3), to the maps of ink and of cores."""

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""The thresholds to choose from. A finer choice would be within the noise of the validation pages."""


@dataclass(frozen=True)
class Finds:
    """What a finder finds on n pages."""

    found: npt.NDArray[np.bool_]
    """(digits,): whether each digit of the pages is found, page by page."""
    false: npt.NDArray[np.int64]
    """(n,): the false finds on each page."""

    @property
    def recall(self) -> float:
        """The share of the digits that is found. 1 if there is no digit."""
        return float(self.found.mean()) if len(self.found) else 1.0

    @property
    def precision(self) -> float:
        """The share of the finds that are digits. 1 if there is no find."""
        finds = int(self.found.sum() + self.false.sum())
        return int(self.found.sum()) / finds if finds else 1.0

    @property
    def f1(self) -> float:
        """The F1 score of the finds."""
        return _f1(int(self.found.sum()), int(self.false.sum()), int((~self.found).sum()))


def page_report(ink: Maps, cores: Maps, pages: Pages, thresholds: dict[str, float]) -> dict[str, Any]:
    """Return the report on pages, as in `validation` and `test` of `model.json`. `models/README.md` describes it."""
    finds = find_digits(cores, pages.cores, thresholds["core"])
    return {
        "pages": len(ink),
        "ink_f1": ink_f1(ink, pages.ink, thresholds["ink"]),
        "digits": len(finds.found),
        "found": int(finds.found.sum()),
        "false": int(finds.false.sum()),
        "recall": finds.recall,
        "precision": finds.precision,
    }


def choose_thresholds(ink: Maps, cores: Maps, pages: Pages) -> dict[str, float]:
    """Return the thresholds with the highest F1 scores on these pages: `ink`, of the cells, and `core`, of the finds.

    Of equally good thresholds, the lowest is chosen: the service can drop a false find later, but never recovers a
    digit that was not found.
    """
    return {
        "ink": max(THRESHOLDS, key=lambda threshold: ink_f1(ink, pages.ink, threshold)),
        "core": max(THRESHOLDS, key=lambda threshold: find_digits(cores, pages.cores, threshold).f1),
    }


def ink_f1(ink: Maps, true_ink: npt.NDArray[np.uint8], threshold: float) -> float:
    """Return the F1 score of the cells whose probability of ink is at least the threshold. 1 without any ink.

    Args:
        ink: (n, 96, 96).
        true_ink: (n, 96, 96): 0 to 255, as in `Pages`.
        threshold: The probability from which a cell is ink.

    """
    return _f1(*(int(count.sum()) for count in _count_cells(ink, true_ink, threshold)))


def ink_f1_of_each_page(ink: Maps, true_ink: npt.NDArray[np.uint8], threshold: float) -> npt.NDArray[np.float64]:
    """Return `ink_f1` of each page, (n,)."""
    return np.array([_f1(*counts) for counts in zip(*_count_cells(ink, true_ink, threshold), strict=True)])


def _count_cells(
    ink: Maps, true_ink: npt.NDArray[np.uint8], threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the true positive, false positive and false negative cells of each page, (n,) each."""
    predicted, true = ink >= threshold, true_ink >= 128
    hits, predictions, truths = (np.count_nonzero(cells, axis=(1, 2)) for cells in (predicted & true, predicted, true))
    return hits, predictions - hits, truths - hits


def _f1(true_positive: int, false_positive: int, false_negative: int) -> float:
    errors = int(false_positive) + int(false_negative)
    return 2 * int(true_positive) / (2 * int(true_positive) + errors) if true_positive or errors else 1.0


def find_digits(cores: Maps, true_cores: npt.NDArray[np.uint8], threshold: float) -> Finds:
    """Match the finds on each page to the digits.

    Args:
        cores: (n, 96, 96).
        true_cores: (n, 96, 96): 255 in the core of each digit, 0 elsewhere.
        threshold: The probability from which a cell belongs to a find.

    """
    matches = [_match(*maps) for maps in zip(cores >= threshold, true_cores > 0, strict=True)]
    found = [found for found, _ in matches]
    return Finds(np.concatenate(found) if found else np.zeros(0, np.bool_), np.array([false for _, false in matches]))


def _match(finds: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], int]:
    """Return whether each digit of a page is found, and the number of false finds. Both maps are (96, 96)."""
    digits = find_components(true.astype(np.uint8))
    found = np.zeros(len(digits.areas), np.bool_)  # with the background, number 0
    false = 0
    for row, column in _centres(finds):
        digit = digits.labels[row, column]
        if digit == 0 or found[digit]:
            false += 1
        else:
            found[digit] = True
    return found[1:], false


def _centres(finds: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return (k, 2): the row and the column of the cell at the centroid of each component of a map, (96, 96)."""
    components = find_components(finds.astype(np.uint8))
    rows, columns = np.nonzero(components.labels)
    labels = components.labels[rows, columns]
    areas = np.bincount(labels, minlength=len(components.areas))[1:]
    sums = [np.bincount(labels, places, len(components.areas))[1:] for places in (rows, columns)]
    return np.stack([np.rint(total / areas) for total in sums], axis=1).astype(np.intp)
