"""What is left out of the second look at a picture, to measure what each part of it is worth. Knows no scenes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.inference.scores import Classification
from app.prediction.digit_choice import choose_digits
from app.prediction.digit_classifier import DigitClassifier
from app.prediction.digit_finder import FoundDigit
from app.prediction.second_look import Interpretation, SecondLook, choose_interpretation, first_look
from imaging import PreprocessedPicture
from imaging.binarise import binarise_digit
from imaging.components import Components, find_components
from imaging.grey import to_grey
from imaging.ink import find_ink, measure_contrast
from imaging.mnist_form import to_mnist_form
from imaging.normalise_stroke import normalise_stroke_width, stroke_width
from imaging.ruled_lines import remove_ruled_lines

_MAX_HYPOTHESES = 12
_MIN_SIDE = 0.06
"""The least longest side of a component that may be a digit, as a share of the picture's."""


class RulesOnly(SecondLook):
    """Takes the first look at every picture: that of `imaging`, which goes by rules."""

    async def interpret(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> Interpretation:
        """Return the first look."""
        return first_look(classifier, picture, classification)


class RuleHypotheses(SecondLook):
    """Has the classifier choose among the pieces of ink that rules find, in place of the finder's digits."""

    async def interpret(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> Interpretation:
        """Return the choice among the first look and each large piece of ink."""
        first = first_look(classifier, picture, classification)
        if picture.pixels is None or not self.is_needed(classifier, picture, classification):
            return first
        candidates = list(_pieces_of_ink(picture.pixels))
        classifications = await classifier.classify_in_turns(np.array([each.image for each in candidates]))
        thresholds = classifier.thresholds
        found = choose_digits(list(zip(candidates, classifications, strict=True)), thresholds)
        return choose_interpretation(first, found, thresholds, is_clean=picture.is_clean)


class FinderOnly(SecondLook):
    """Takes the second look at every picture, and does not compare it with the first."""

    async def interpret(
        self, classifier: DigitClassifier, picture: PreprocessedPicture, classification: Classification
    ) -> Interpretation:
        """Return the best of the finder's digits."""
        nothing = Interpretation(np.zeros((28, 28), np.uint8), classification, "blank")
        if picture.pixels is None:
            return first_look(classifier, picture, classification)
        return await self.look_again(classifier, picture.pixels, nothing, is_clean=False)


def _pieces_of_ink(pixels: NDArray[np.uint8]) -> Iterator[FoundDigit]:
    """Yield each large connected piece of ink as a candidate, the largest first."""
    contrast = measure_contrast(to_grey(pixels))
    components = find_components(remove_ruled_lines(find_ink(contrast)))
    for label in _largest(components):
        mask = components.mask(np.array([label]))
        ink = binarise_digit(contrast, mask)
        left, top, right, bottom = components.boxes[label].tolist()
        image = to_mnist_form(normalise_stroke_width(ink, stroke_width(ink)))
        yield FoundDigit(image, (left, top, right - left, bottom - top), 1.0, label, 0, 0.0)


def _largest(components: Components) -> list[int]:
    smallest = _MIN_SIDE * max(components.ink.shape)
    labels = [label for label in range(1, len(components.sides)) if components.sides[label] >= smallest]
    return sorted(labels, key=lambda label: -int(components.sides[label]))[:_MAX_HYPOTHESES]


LOOKS: dict[str, type[SecondLook]] = {
    "rules": RulesOnly,
    "hypotheses": RuleHypotheses,
    "finder": FinderOnly,
    "both": SecondLook,
}
"""What may be measured, by name."""
