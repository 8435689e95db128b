from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pytest

from training.data.pages import Pages
from training.finder.comparison import ComparedFinder, compare, decide
from training.finder.report import Maps

COUNT = 60


def draw_pages() -> Pages:
    """Return pages with one digit each, a square. The first pixel of a picture is the number of its page."""
    pictures = np.zeros((COUNT, 192, 192, 3), np.uint8)
    pictures[:, 0, 0, 0] = np.arange(COUNT)
    maps = np.zeros((COUNT, 96, 96), np.uint8)
    maps[:, 40:50, 40:50] = 255
    return Pages(pictures, maps, maps, np.ones(COUNT, np.int32))


PAGES = draw_pages()


def finder(
    title: str, missed: Collection[int] = (), false: Collection[int] = (), missing_rows: int = 0, **card: object
) -> ComparedFinder:
    """Return a finder that finds every digit, but misses those on some pages, has false finds, or misses some ink."""

    def find(pictures: npt.NDArray[np.uint8]) -> tuple[Maps, Maps]:
        numbers = pictures[:, 0, 0, 0]
        cores = np.zeros((len(pictures), 96, 96), np.float32)
        cores[:, 40:50, 40:50] = ~np.isin(numbers, list(missed))[:, np.newaxis, np.newaxis]
        cores[:, 5:9, 5:9] = np.isin(numbers, list(false))[:, np.newaxis, np.newaxis]
        ink = np.zeros_like(cores)
        ink[:, 40 + missing_rows : 50, 40:50] = 0.9
        return ink, cores

    return ComparedFinder(title, {"multiply_adds": 1_000, "thresholds": {"ink": 0.5, "core": 0.5}, **card}, find)


def verdicts(baseline: ComparedFinder, candidate: ComparedFinder) -> dict[str, str]:
    """Return the verdicts, except that on the time, which depends on what else the machine does."""
    return {row.name: row.verdict for row in compare(baseline, candidate, PAGES) if row.name != "time for a page"}


def test_equal_finders_are_the_same_in_every_measure() -> None:
    rows = verdicts(finder("old"), finder("new"))
    assert list(rows) == ["digits found", "false finds", "F1 of the ink", "multiply-adds"]
    assert set(rows.values()) == {"same"}


@pytest.mark.parametrize(
    ("flaws", "measure"),
    [
        ({"missed": range(10)}, "digits found"),
        ({"false": range(10)}, "false finds"),
        ({"missing_rows": 2}, "F1 of the ink"),
        ({"multiply_adds": 1_200}, "multiply-adds"),
    ],
)
def test_each_flaw_is_worse_in_its_measure(flaws: dict[str, object], measure: str) -> None:
    flawed = finder("flawed", **flaws)  # type: ignore[arg-type]
    rows, reverse = verdicts(finder("good"), flawed), verdicts(flawed, finder("good"))
    assert rows[measure] == "worse"
    assert reverse[measure] == "better"
    assert {verdict for name, verdict in rows.items() if name != measure} == {"same"}


def test_one_more_digit_is_not_significant() -> None:
    assert verdicts(finder("old", missed={3}), finder("new"))["digits found"] == "same"


def test_the_rows_show_counts_and_pages() -> None:
    found, false, *_ = compare(finder("old", missed=range(10)), finder("new", missed=range(3), false={1, 2}), PAGES)
    assert (found.before, found.after, found.note) == ("50 of 60 (83.33%)", "57 of 60 (95.00%)", "7 won, 0 lost")
    assert (false.before, false.after, false.note) == (
        "0 on 60 pages",
        "2 on 60 pages",
        "fewer on 0 pages, more on 2",
    )


def test_a_better_candidate_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluation.comparison.COST_TOLERANCE", np.inf)  # whatever else the machine does
    decision = decide(finder("finder 1", missed=range(20)), finder("the candidate"), PAGES)
    assert decision.objections == []
    assert not decision.reproduced


def test_an_equal_candidate_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluation.comparison.COST_TOLERANCE", np.inf)
    decision = decide(finder("finder 1", missed={1}), finder("the candidate", missed={2}), PAGES)
    assert decision.objections == ["Nothing is significantly better than in finder 1."]


def test_a_worse_candidate_is_rejected_with_the_reason() -> None:
    decision = decide(finder("finder 1"), finder("the candidate", missed=range(20)), PAGES)
    assert decision.objections[0] == "digits found: significantly worse."
    assert "| digits found | 60 of 60 (100.00%) | 40 of 60 (66.67%) | < 0.001 | worse |" in str(decision)


def test_a_candidate_with_the_same_maps_reproduces_the_served_version() -> None:
    assert decide(finder("finder 1"), finder("the candidate"), PAGES).reproduced
    assert not decide(finder("finder 1"), finder("the candidate", missed={1}), PAGES).reproduced
