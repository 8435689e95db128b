import math

import numpy as np
import pytest

from app.inference.scores import Scores

RNG = np.random.default_rng(0)


def made_up(images: int) -> Scores:
    logits = RNG.normal(0, 5, (images, 10)).astype(np.float32)
    powers = np.exp(logits)
    return Scores(powers / powers.sum(axis=1, keepdims=True), logits)


def test_a_verdict_says_what_the_arrays_do() -> None:
    scores = made_up(5)
    assert len(scores.classifications) == 5
    for classification, probabilities, logits in zip(
        scores.classifications, scores.probabilities, scores.logits, strict=True
    ):
        assert classification.digit == probabilities.argmax()
        assert classification.confidence == probabilities.max()
        assert classification.probabilities == [round(float(each), 6) for each in probabilities]
        assert classification.energy == pytest.approx(-math.log(sum(math.exp(logit) for logit in logits)), rel=1e-5)


def test_the_energy_of_large_logits_is_a_number() -> None:
    logits = np.full((1, 10), 1000, np.float32)
    assert Scores(logits, logits).classifications[0].energy == pytest.approx(-1000 - math.log(10))


def test_a_part_says_what_the_whole_says_of_its_images() -> None:
    whole = made_up(5)
    part = whole.part(1, 3)
    assert (part.probabilities == whole.probabilities[1:3]).all()
    assert (part.logits == whole.logits[1:3]).all()
    assert part.classifications == whole.classifications[1:3]
    assert part.classifications[0] is whole.classifications[1]  # which were made once


def test_parts_are_put_together_again() -> None:
    whole = made_up(5)
    together = Scores.concatenate([whole.part(0, 2), whole.part(2, 5)])
    assert (together.probabilities == whole.probabilities).all()
    assert (together.logits == whole.logits).all()
    assert together.classifications == whole.classifications
