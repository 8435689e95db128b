"""Which pictures are looked at again, and what is chosen: with made-up classifications and a stub of the search."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import FinderUnavailable
from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.model_repository.versions import LoadedFinder
from app.prediction.digit_choice import Choice
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import FoundDigit
from app.prediction.second_look import (
    Interpretation,
    SecondLook,
    choose_as_it_came,
    choose_interpretation,
    first_look,
    needs_second_look,
    rank,
)
from app.schemas import Reason
from imaging import Box, PreprocessedPicture, images_as_they_came, normalise

THRESHOLDS = Abstention(confidence=0.5, energy=-5)
SURE, DOUBTFUL = -12.0, -4.0
"""Energies far below and above the threshold."""


def classified(digit: int, energy: float = SURE, confidence: float = 0.999) -> Classification:
    probabilities = [(1 - confidence) / 9] * 10
    probabilities[digit] = confidence
    return Classification(digit, confidence, probabilities, energy)


def image_of(digit: int) -> NDArray[np.uint8]:
    return np.full((28, 28), digit, np.uint8)


def looked(digit: int, energy: float = SURE, reason: Reason | None = None, confidence: float = 0.999) -> Interpretation:
    return Interpretation(image_of(digit), classified(digit, energy, confidence), reason)


def found(
    digit: int, energy: float = SURE, box: Box = (10, 10, 20, 30), *, confidence: float = 0.9, cluster: int = 0
) -> Choice:
    return FoundDigit(image_of(digit), box, confidence, cluster, 0, 0.0), classified(digit, energy)


def draw_seven(side: int = 200) -> NDArray[np.uint8]:
    picture = np.full((side, side), 230, np.uint8)
    corners = (np.array([(0.3, 0.3), (0.65, 0.3), (0.45, 0.75)]) * side).astype(np.int32)
    return cv2.polylines(picture, [corners], isClosed=False, color=20, thickness=side // 20)


def draw_two_pieces() -> NDArray[np.uint8]:
    return cv2.line(draw_seven(), (30, 60), (30, 150), 20, 10)


def test_a_clean_drawing_with_a_sure_answer_needs_no_second_look() -> None:
    assert not needs_second_look(normalise(draw_seven()), classified(7), THRESHOLDS)


@pytest.mark.parametrize(
    "answer",
    [classified(7, confidence=0.6), classified(7, DOUBTFUL), classified(7, -5.1)],
    ids=["low confidence", "no digit", "nearly no digit"],
)
def test_a_clean_drawing_with_a_doubtful_answer_needs_one(answer: Classification) -> None:
    assert needs_second_look(normalise(draw_seven()), answer, THRESHOLDS)


def test_without_an_energy_threshold_only_the_confidence_makes_an_answer_doubtful() -> None:
    thresholds = Abstention(confidence=0.5, energy=None)
    assert not needs_second_look(normalise(draw_seven()), classified(7, DOUBTFUL), thresholds)
    assert needs_second_look(normalise(draw_seven()), classified(7, confidence=0.6), thresholds)


def test_a_drawing_with_two_pieces_needs_one_however_sure_the_answer() -> None:
    assert needs_second_look(normalise(draw_two_pieces()), classified(7), THRESHOLDS)


def test_a_drawing_with_a_finding_needs_one() -> None:
    picture = normalise(draw_seven())._replace(finding="not_a_digit")
    assert needs_second_look(picture, classified(7), THRESHOLDS)
    assert not needs_second_look(picture._replace(finding="blank"), classified(7, DOUBTFUL), THRESHOLDS)


@pytest.mark.parametrize("answer", [classified(7), classified(7, DOUBTFUL, 0.2)])
def test_a_picture_in_mnists_form_never_needs_one(answer: Classification) -> None:
    image = normalise(draw_seven()).image
    for pixels in (image, 255 - image):
        assert not needs_second_look(normalise(pixels), answer, THRESHOLDS)


@pytest.mark.parametrize(
    ("answer", "finding", "reason"),
    [
        (classified(7), None, None),
        (classified(7, DOUBTFUL), None, "not_a_digit"),
        (classified(7, confidence=0.4), None, "unsure"),
        (classified(7), "several_digits", "several_digits"),
        (classified(7, DOUBTFUL), "blank", "blank"),
    ],
)
def test_the_first_look_goes_by_the_rules_and_then_by_the_thresholds(
    answer: Classification, finding: Reason | None, reason: Reason | None
) -> None:
    picture = PreprocessedPicture(image_of(7), finding)  # type: ignore[arg-type]
    assert first_look(StubClassifier(), picture, answer).reason == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (found(1, -12), found(2, -9)),
        (found(1, confidence=0.95), found(2, confidence=0.4)),
        (found(1, box=(0, 0, 40, 60)), found(2, box=(0, 0, 5, 8))),
    ],
    ids=["energy", "confidence of the finder", "size"],
)
def test_digits_are_ranked_by_what_classifier_and_finder_make_of_them(better: Choice, worse: Choice) -> None:
    for given in ([better, worse], [worse, better]):
        assert [answer.digit for _, answer in rank(given)] == [1, 2]
    assert rank([]) == []


def answer(interpretation: Interpretation) -> tuple[int, Reason | None]:
    """Return the digit and the reason, after a check that the image is that of the digit."""
    assert (interpretation.image == interpretation.classification.digit).all()
    return interpretation.classification.digit, interpretation.reason


def test_two_looks_that_agree_are_trusted() -> None:
    assert answer(choose_interpretation(looked(3), [found(3)], THRESHOLDS, is_clean=False)) == (3, None)


def test_a_sure_second_look_overrules_a_first_one_that_abstains() -> None:
    for reason in ("not_a_digit", "unsure", "several_digits"):
        for first in (looked(0, DOUBTFUL, reason), looked(3, DOUBTFUL, reason)):  # type: ignore[arg-type]
            assert answer(choose_interpretation(first, [found(3)], THRESHOLDS, is_clean=False)) == (3, None)


def test_a_second_look_confirms_a_first_one_that_abstains_only_with_confidence() -> None:
    first = looked(3, DOUBTFUL, "not_a_digit")
    digit, classification = found(3)
    hesitant = digit, classification._replace(confidence=0.7)
    assert answer(choose_interpretation(first, [hesitant], THRESHOLDS, is_clean=True)) == (3, "not_a_digit")
    assert answer(choose_interpretation(first, [found(3)], THRESHOLDS, is_clean=True)) == (3, None)


@pytest.mark.parametrize(
    ("first", "second", "is_clean", "expected"),
    [
        (looked(0, -9), found(3, -12), False, (3, None)),
        (looked(0, -12), found(3, -9), False, (3, "unsure")),  # the 0 may be a ring round the 3
        (looked(4, -12), found(3, -9), False, (4, None)),  # the 3 may be a part of the 4
        (looked(4, -10), found(3, -9), False, (3, "unsure")),
        (looked(4, -9), found(3, -12, confidence=0.4), False, (4, "unsure")),
        (looked(4, -9), found(3, -12), True, (4, "unsure")),
    ],
)
def test_of_two_looks_that_disagree_a_clearly_better_one_is_trusted(
    first: Interpretation,
    second: Choice,
    is_clean: bool,  # noqa: FBT001 (a parameter of the test)
    expected: tuple[int, Reason | None],
) -> None:
    assert answer(choose_interpretation(first, [second], THRESHOLDS, is_clean=is_clean)) == expected


def test_a_sure_first_look_is_unsure_if_the_second_finds_something_else_that_is_no_digit() -> None:
    chosen = choose_interpretation(looked(0), [found(3, DOUBTFUL)], THRESHOLDS, is_clean=False)
    assert answer(chosen) == (0, "unsure")


def test_where_the_finder_finds_nothing_only_the_digit_of_a_clean_picture_is_trusted() -> None:
    edge = looked(1)
    assert answer(choose_interpretation(edge, [], THRESHOLDS, is_clean=False)) == (1, "not_a_digit")
    assert answer(choose_interpretation(edge, [], THRESHOLDS, is_clean=True)) == (1, None)
    for is_clean in (False, True):
        chosen = choose_interpretation(looked(3, reason="blank"), [], THRESHOLDS, is_clean=is_clean)
        assert answer(chosen) == (3, "blank")


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (found(4, box=(60, 10, 20, 30), cluster=1), "several_digits"),
        (found(3, box=(60, 10, 20, 26), cluster=1), "several_digits"),
        (found(4, box=(60, 10, 6, 8), cluster=1), None),
        (found(4, confidence=0.3, box=(60, 10, 20, 30), cluster=1), None),
        (found(4, DOUBTFUL, box=(60, 10, 20, 30), cluster=1), None),
    ],
    ids=["another digit", "the same digit twice", "a small one", "an unsure find", "no digit"],
)
def test_a_second_digit_about_as_large_makes_several_digits(second: Choice, reason: Reason | None) -> None:
    chosen = choose_interpretation(looked(3), [second, found(3)], THRESHOLDS, is_clean=False)
    assert chosen.reason == reason
    if reason is None:
        assert answer(chosen) == (3, None)


def test_a_tiny_picture_is_read_as_it_came_if_that_looks_more_like_a_digit() -> None:
    as_it_came = [(image_of(4), classified(4, -14)), (image_of(1), classified(1, -6))]
    first = looked(8, DOUBTFUL, "not_a_digit")
    assert answer(choose_as_it_came(first, as_it_came, THRESHOLDS)) == (4, None)
    assert answer(choose_as_it_came(looked(4, -9), as_it_came, THRESHOLDS)) == (4, None)


def test_the_first_look_at_a_tiny_picture_is_kept_if_that_looks_more_like_a_digit() -> None:
    as_it_came = [(image_of(4), classified(4, -6)), (image_of(1), classified(1, DOUBTFUL))]
    assert answer(choose_as_it_came(looked(8, -14), as_it_came, THRESHOLDS)) == (8, None)
    assert answer(choose_as_it_came(looked(8), [], THRESHOLDS)) == (8, None)


def test_two_sure_readings_of_a_tiny_picture_that_disagree_are_unsure() -> None:
    chosen = choose_as_it_came(looked(8, -9), [(image_of(4), classified(4, -14))], THRESHOLDS)
    assert answer(chosen) == (4, "unsure")


def test_a_tiny_picture_that_hardly_looks_like_a_digit_either_way_keeps_its_finding() -> None:
    first = looked(4, 0.0, "several_digits")
    chosen = choose_as_it_came(first, [(image_of(4), classified(4, DOUBTFUL))], THRESHOLDS)
    assert answer(chosen) == (4, "several_digits")


class StubClassifier:
    """A classifier for which the mean of an image is its digit, with the same energy for all images."""

    thresholds = THRESHOLDS

    def __init__(self) -> None:
        self.images: list[NDArray[np.uint8]] = []

    async def classify_in_turns(self, images: NDArray[np.uint8]) -> list[Classification]:
        self.images.extend(images)
        return [classified(round(image.mean()) % 10) for image in images]


class StubCatalogue:
    """A catalogue with a finder, or without."""

    def __init__(self, *, has_finder: bool) -> None:
        self.has_finder = has_finder

    def find_finder(self) -> LoadedFinder:
        if not self.has_finder:
            raise FinderUnavailable
        return LoadedFinder(None, None)  # type: ignore[arg-type]


class StubSearch:
    """Stands for the search of digits; finds the same ones in all pictures, and has them classified."""

    def __init__(self, *candidates: FoundDigit) -> None:
        self.candidates = list(candidates)
        self.searched: list[NDArray[np.uint8]] = []

    async def find(
        self, pixels: NDArray[np.uint8], finder: LoadedFinder, classifier: DigitClassifier, *, thorough: bool
    ) -> Sequence[Choice]:
        assert not thorough
        self.searched.append(pixels)
        images = np.array([candidate.image for candidate in self.candidates])
        return list(zip(self.candidates, await classifier.classify_in_turns(images), strict=True))


@pytest.fixture
def classifier() -> DigitClassifier:
    return StubClassifier()  # type: ignore[return-value]


def second_look(search: StubSearch, *, has_finder: bool = True) -> SecondLook:
    return SecondLook(StubCatalogue(has_finder=has_finder), search)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_the_finder_looks_at_a_picture_that_is_not_clean(classifier: DigitClassifier) -> None:
    search = StubSearch(found(3)[0])
    picture = normalise(draw_two_pieces())
    look = second_look(search)
    assert look.is_needed(classifier, picture, classified(0))
    chosen = await look.interpret(classifier, picture, classified(0, DOUBTFUL))
    assert answer(chosen) == (3, None)
    assert len(search.searched) == 1
    assert search.searched[0] is picture.pixels


@pytest.mark.anyio
async def test_a_finder_that_finds_nothing_leaves_no_doubtful_digit(classifier: DigitClassifier) -> None:
    picture = normalise(draw_seven())._replace(is_clean=False)
    chosen = await second_look(StubSearch()).interpret(classifier, picture, classified(7, confidence=0.9))
    assert (chosen.classification.digit, chosen.reason) == (7, "not_a_digit")


@pytest.mark.anyio
async def test_a_clean_picture_is_not_looked_at_again(classifier: DigitClassifier) -> None:
    search = StubSearch(found(3)[0])
    picture = normalise(draw_seven())
    chosen = await second_look(search).interpret(classifier, picture, classified(7))
    assert (chosen.classification.digit, chosen.reason) == (7, None)
    assert chosen.image is picture.image
    assert search.searched == []


@pytest.mark.anyio
async def test_without_a_finder_the_first_look_is_the_answer(classifier: DigitClassifier) -> None:
    search = StubSearch(found(3)[0])
    look = second_look(search, has_finder=False)
    picture = normalise(draw_two_pieces())
    for first, reason in (
        (classified(7), picture.finding),
        (classified(7, DOUBTFUL), picture.finding or "not_a_digit"),
    ):
        assert not look.is_needed(classifier, picture, first)
        chosen = await look.interpret(classifier, picture, first)
        assert (chosen.classification, chosen.reason) == (first, reason)
        assert chosen.image is picture.image
    assert search.searched == []


@pytest.mark.anyio
async def test_a_tiny_picture_is_scored_as_it_came_and_needs_no_finder(classifier: DigitClassifier) -> None:
    tiny = draw_seven(28)
    tiny[::4] -= 60
    picture = normalise(tiny)
    search = StubSearch()
    look = second_look(search, has_finder=False)
    assert look.is_needed(classifier, picture, classified(8, DOUBTFUL))
    chosen = await look.interpret(classifier, picture, classified(8, DOUBTFUL))
    expected = images_as_they_came(tiny)
    np.testing.assert_array_equal(classifier.images, expected)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(chosen.image, expected[0])
    assert search.searched == []
