"""Compares two finders on the same pages, and decides whether a candidate replaces the served one. Reads no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.pages import Pages
from training.evaluation.comparison import (
    SIGNIFICANCE_LEVEL,
    Measure,
    choose_verdict,
    compare_multiply_adds,
    compare_speed,
    comparison_table,
    format_share,
)
from training.evaluation.promotion_gate import Decision, list_worse
from training.evaluation.significance import mcnemar_test
from training.finder.report import FindMaps, Finds, Maps, find_digits, ink_f1, ink_f1_of_each_page

INK_TOLERANCE = 0.005
"""The largest difference in the F1 score of the ink that counts as the same: it moves no digit's box by a pixel."""
TIMED_PAGES = 1
"""As in the service, which runs most pages on their own."""


@dataclass(frozen=True)
class ComparedFinder:
    """A finder in a comparison."""

    title: str
    card: dict[str, Any]
    find: FindMaps


@dataclass(frozen=True)
class _Results:
    """What a finder computes for the pages of a comparison."""

    ink: Maps
    cores: Maps
    finds: Finds
    ink_f1: float
    ink_f1_of_each_page: npt.NDArray[np.float64]


def decide(served: ComparedFinder, candidate: ComparedFinder, pages: Pages) -> Decision:
    """Compare a candidate with the served version on pages and collect the objections to the candidate.

    There are two objections: a measure is significantly worse, and no measure is significantly better.
    """
    before, after = (_compute(finder, pages) for finder in (served, candidate))
    measures = _compare(served, candidate, before, after, pages)
    objections = list_worse(measures)
    if all(measure.verdict != "better" for measure in measures):
        objections.append(f"Nothing is significantly better than in {served.title}.")
    reproduced = np.array_equal(before.ink, after.ink) and np.array_equal(before.cores, after.cores)
    return Decision(measures, comparison_table(served.title, candidate.title, measures), objections, reproduced)


def compare(baseline: ComparedFinder, candidate: ComparedFinder, pages: Pages) -> list[Measure]:
    """Compare two finders by the digits and the ink that they find, and by their cost.

    The four tests of significance share SIGNIFICANCE_LEVEL equally.
    """
    return _compare(baseline, candidate, _compute(baseline, pages), _compute(candidate, pages), pages)


def _compute(finder: ComparedFinder, pages: Pages) -> _Results:
    ink, cores = finder.find(pages.pictures)
    thresholds = finder.card["thresholds"]
    return _Results(
        ink,
        cores,
        find_digits(cores, pages.cores, thresholds["core"]),
        ink_f1(ink, pages.ink, thresholds["ink"]),
        ink_f1_of_each_page(ink, pages.ink, thresholds["ink"]),
    )


def _compare(
    baseline: ComparedFinder, candidate: ComparedFinder, before: _Results, after: _Results, pages: Pages
) -> list[Measure]:
    level = SIGNIFICANCE_LEVEL / 4
    timed = pages.pictures[:TIMED_PAGES]
    runs = partial(baseline.find, timed), partial(candidate.find, timed)
    return [
        _compare_found(before.finds, after.finds, level),
        _compare_false(before.finds, after.finds, level),
        _compare_ink(before, after, level),
        compare_multiply_adds(baseline.card, candidate.card),
        compare_speed("time for a page", runs, len(timed), level),
    ]


def _compare_found(before: Finds, after: Finds, level: float) -> Measure:
    """Compare the digits that are found, with McNemar's test."""
    won, lost = int((after.found & ~before.found).sum()), int((before.found & ~after.found).sum())
    p = mcnemar_test(lost, won)
    verdict = choose_verdict(won - lost, significant=p < level)
    return Measure(
        "digits found", format_share(before.found), format_share(after.found), verdict, p, f"{won} won, {lost} lost"
    )


def _compare_false(before: Finds, after: Finds, level: float) -> Measure:
    """Compare the false finds, with a sign test on the pages where their numbers differ."""
    fewer, more = _count_pages(before.false, after.false)
    p = mcnemar_test(fewer, more)
    verdict = choose_verdict(int(before.false.sum() - after.false.sum()), significant=p < level)
    first, second = (f"{int(finds.false.sum()):,} on {len(finds.false):,} pages" for finds in (before, after))
    return Measure("false finds", first, second, verdict, p, f"fewer on {fewer} pages, more on {more}")


def _compare_ink(before: _Results, after: _Results, level: float) -> Measure:
    """Compare the F1 score of the ink, with a sign test on the pages where it differs."""
    lower, higher = _count_pages(before.ink_f1_of_each_page, after.ink_f1_of_each_page)
    p = mcnemar_test(lower, higher)
    gain = after.ink_f1 - before.ink_f1
    verdict = choose_verdict(gain, significant=p < level and abs(gain) > INK_TOLERANCE)
    note = f"higher on {higher} pages, lower on {lower}"
    return Measure("F1 of the ink", f"{before.ink_f1:.2%}", f"{after.ink_f1:.2%}", verdict, p, note)


def _count_pages(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> Sequence[int]:
    """Count the pages on which a number, (n,) each, is lower after than before, and those on which it is higher."""
    return int((after < before).sum()), int((after > before).sum())
