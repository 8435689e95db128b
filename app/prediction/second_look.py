"""The second look at a picture that shows more than one clean piece of ink: chooses among several interpretations.

The first look is that of `imaging`, which goes by rules. The second has the digits that the finder found, and for a
tiny picture the picture as it came. The classifier scores all of them. Knows no HTTP.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import FinderUnavailable
from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LoadedFinder
from app.prediction.abstention import abstention_reason
from app.prediction.digit_choice import Choice, choose_digits
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import FoundDigit
from app.prediction.digit_search import DigitSearch
from app.schemas import Reason
from imaging import PreprocessedPicture, images_as_they_came, is_tiny

_DOUBTFUL_CONFIDENCE = 0.95
"""Below this confidence, the first look is in doubt."""
_DOUBTFUL_ENERGY = 0.7
"""The first look is in doubt from this far below the energy at which the model abstains."""
_SIZE_WEIGHT = 0.5
_FINDER_WEIGHT = 3.0
"""The weights of the size and of the finder's confidence against the energy, in nats."""
_RIVAL_HEIGHT = 0.5
"""The least height of a second digit, as a share of the first one's."""
_RIVAL_FIND = 0.4
"""The least confidence of the finder in a second digit."""
_CONFIRMING_CONFIDENCE = 0.8
"""The least confidence with which the second look confirms a first one that abstains."""
_SURE_ALONE_MARGIN = 0.2
"""How far the energy of a digit that the first look does not confirm has to be below the threshold, in nats."""
_SURE_ALONE_CONFIDENCE = 0.95
"""The least confidence of such a digit."""
_SURE_FIND = 0.5
"""The least confidence of the finder in such a digit."""
_SURE_ONE = 0.65
"""The least confidence of the finder in such a digit, if it is a 1 or the picture is clean."""
_CLEAN_MARGIN = 1.0
"""How much less energy such a digit has to have in a clean picture, in nats."""
_WHOLE_GAIN = 1.5
"""How much less energy the first look has to have than a part of its ink that the finder takes for a digit, in nats."""
_FIRST_BONUS = 0.55
"""How much more energy the first look at a tiny picture may have than another reading of it, in nats. It has to have as
much less if it found something."""
_RAW_BONUS = 0.5
"""How much more energy the picture as it came may have: nothing was done to it."""
_SURE_MARGIN = 1.2
"""How far the energy of a tiny picture as it came has to be below the threshold, in nats, to overrule the first look.
The same for the first look against a digit that was found."""


class Interpretation(NamedTuple):
    """An answer to what digit a picture shows."""

    image: NDArray[np.uint8]
    """(28, 28)."""
    classification: Classification
    reason: Reason | None


class SecondLook:
    """Looks again at pictures, with the finder. Without a finder the first look is the answer."""

    def __init__(self, catalogue: ModelCatalogue, digit_search: DigitSearch) -> None:
        self._catalogue = catalogue
        self._digit_search = digit_search

    def is_needed(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> bool:
        """Tell whether the first look may have missed something, and a second look is possible."""
        return (
            needs_second_look(picture, classification, classifier.thresholds)
            and picture.pixels is not None
            and (is_tiny(picture.pixels) or self._finder() is not None)
        )

    async def interpret(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> Interpretation:
        """Return the answer to a picture, with a second look if it needs one.

        Raises:
            ServiceError: if a model has been unloaded, or the picture would wait too long.

        """
        first = first_look(classifier, picture, classification)
        if picture.pixels is None or not self.is_needed(classifier, picture, classification):
            return first
        thresholds = classifier.thresholds
        if is_tiny(picture.pixels):
            images = images_as_they_came(picture.pixels)
            classifications = await classifier.classify_in_turns(np.asarray(images))
            return choose_as_it_came(first, list(zip(images, classifications, strict=True)), thresholds)
        return await self.look_again(classifier, picture.pixels, first, is_clean=picture.is_clean)

    async def look_again(
        self, classifier: DigitClassifier, pixels: NDArray[np.uint8], first: Interpretation, *, is_clean: bool
    ) -> Interpretation:
        """Choose among the first look and the digits that the finder finds in the picture."""
        finder = self._finder()
        if finder is None:
            return first
        thresholds = classifier.thresholds
        candidates = await self._digit_search.find(pixels, finder, classifier, thorough=False)
        found = choose_digits(candidates, thresholds)
        return choose_interpretation(first, found, thresholds, is_clean=is_clean)

    def _finder(self) -> LoadedFinder | None:
        try:
            return self._catalogue.find_finder()
        except FinderUnavailable:
            return None


def first_look(
    classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
) -> Interpretation:
    """Return the answer by the rules of `imaging` and the thresholds of the model."""
    reason = picture.finding or abstention_reason(classifier.thresholds, classification)
    return Interpretation(picture.image, classification, reason)


def needs_second_look(picture: PreprocessedPicture, classification: Classification, thresholds: Abstention) -> bool:
    """Tell whether the first look may have missed something: its picture is not clean, or its answer in doubt."""
    if picture.pixels is None:
        return False
    if not picture.is_clean:
        return True
    if picture.finding == "blank":
        return False
    return picture.finding is not None or _is_in_doubt(classification, thresholds)


def _is_in_doubt(classification: Classification, thresholds: Abstention) -> bool:
    if classification.confidence < _DOUBTFUL_CONFIDENCE:
        return True
    return thresholds.energy is not None and classification.energy > thresholds.energy - _DOUBTFUL_ENERGY


def rank(found: Sequence[Choice]) -> list[Choice]:
    """Sort the digits that were found: the most certain, and among equals the largest, first."""

    def cost(item: Choice) -> float:
        digit, classification = item
        size = np.log(max(digit.box[2] * digit.box[3], 1.0))
        return float(classification.energy - _FINDER_WEIGHT * digit.confidence - _SIZE_WEIGHT * size)

    return sorted(found, key=cost)


def choose_interpretation(
    first: Interpretation, found: Sequence[Choice], thresholds: Abstention, *, is_clean: bool
) -> Interpretation:
    """Choose among the first look and the digits that were found."""
    ranked = rank(found)
    if not ranked:
        # A ring looks like a 0 and an edge like a 1, but the finder takes them for no digit.
        return first if is_clean else first._replace(reason=first.reason or "not_a_digit")
    best, classification = ranked[0]
    second = Interpretation(best.image, classification, abstention_reason(thresholds, classification))
    if _has_rival(ranked, thresholds, is_expected=first.reason == "several_digits"):
        return second._replace(reason="several_digits")
    if second.classification.digit == first.classification.digit:
        if first.reason is None:
            return second._replace(reason=None)
        is_confirmed = second.reason is None and classification.confidence >= _CONFIRMING_CONFIDENCE
        return second if is_confirmed else second._replace(reason=second.reason or first.reason)
    is_sure = second.reason is None and _is_sure_alone(best, classification, thresholds, is_clean=is_clean)
    if first.reason is None:
        return _choose_of_two(first, second, thresholds, is_sure=is_sure, is_clean=is_clean)
    return second if is_sure else second._replace(reason=first.reason)


def _choose_of_two(
    first: Interpretation, second: Interpretation, thresholds: Abstention, *, is_sure: bool, is_clean: bool
) -> Interpretation:
    """Choose among two looks that disagree, the first of which has no reason to abstain.

    A clean picture has nothing that the first look could have taken for a part of the digit.
    """
    if is_clean:
        return first._replace(reason="unsure")
    gain = first.classification.energy - second.classification.energy
    if is_sure and gain > 0:
        return second
    is_whole = first.classification.digit != 0 and _has_margin(first.classification, thresholds, _SURE_MARGIN)
    if is_whole and gain < -_WHOLE_GAIN:
        return first
    return (second if is_sure else first)._replace(reason="unsure")


def _is_sure_alone(
    digit: FoundDigit, classification: Classification, thresholds: Abstention, *, is_clean: bool
) -> bool:
    """Tell whether a digit that the first look does not confirm may be trusted.

    A part of another digit, or the edge of a thing, looks most like a 1. A clean picture has nothing beside the digit,
    so what is found is a part of it, perhaps of a letter.
    """
    least = _SURE_ONE if classification.digit == 1 or is_clean else _SURE_FIND
    margin = _SURE_ALONE_MARGIN + (_CLEAN_MARGIN if is_clean else 0.0)
    return (
        _has_margin(classification, thresholds, margin)
        and classification.confidence > _SURE_ALONE_CONFIDENCE
        and digit.confidence > least
    )


def _has_margin(classification: Classification, thresholds: Abstention, margin: float) -> bool:
    """Tell whether the energy is below the model's threshold by a margin, in nats."""
    return thresholds.energy is not None and classification.energy < thresholds.energy - margin


def _has_rival(ranked: Sequence[Choice], thresholds: Abstention, *, is_expected: bool) -> bool:
    """Tell whether a second digit was found that is about as large as the first.

    Finder and classifier have to be sure of it, unless a second one `is_expected` by the first look.
    """
    height = ranked[0][0].box[3]
    return any(
        digit.box[3] >= _RIVAL_HEIGHT * height
        and (is_expected or (digit.confidence >= _RIVAL_FIND and abstention_reason(thresholds, classification) is None))
        for digit, classification in ranked[1:]
    )


def choose_as_it_came(
    first: Interpretation, as_it_came: Sequence[tuple[NDArray[np.uint8], Classification]], thresholds: Abstention
) -> Interpretation:
    """Choose among the first look and the images of a tiny picture as it came."""
    if not as_it_came:
        return first
    others = [Interpretation(image, each, abstention_reason(thresholds, each)) for image, each in as_it_came]
    bonuses = [_FIRST_BONUS if first.reason is None else -_FIRST_BONUS, _RAW_BONUS, *(0.0 for _ in others[1:])]
    readings = zip([first, *others], bonuses, strict=True)
    best, _ = min(readings, key=lambda item: item[0].classification.energy - item[1])
    if best is first:
        return first
    if first.reason is None and first.classification.digit != best.classification.digit:
        return best._replace(reason="unsure")
    if not _has_margin(best.classification, thresholds, _SURE_MARGIN):
        return best._replace(reason=first.reason or best.reason)
    return best
