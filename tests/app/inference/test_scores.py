import math

import numpy as np
import pytest

from app.inference.scores import Scores

RNG = np.random.default_rng(0)


def random_scores(images: int) -> Scores:
    logits = RNG.normal(0, 5, (images, 10)).astype(np.float32)
    powers = np.exp(logits)
    return Scores(powers / powers.sum(axis=1, keepdims=True), logits)


def test_classifications_have_the_values_of_the_arrays() -> None:
    scores = random_scores(5)
    assert len(scores.classifications) == 5
    for classification, probabilities, logits in zip(
        scores.classifications, scores.probabilities, scores.logits, strict=True
    ):
        assert classification.digit == probabilities.argmax()
        assert classification.confidence == probabilities.max()
        assert classification.probabilities == [round(float(each), 6) for each in probabilities]
        assert classification.energy == pytest.approx(-math.log(sum(math.exp(logit) for logit in logits)), rel=1e-5)


def test_the_energy_of_large_logits_does_not_overflow() -> None:
    logits = np.full((1, 10), 1000, np.float32)
    assert Scores(logits, logits).classifications[0].energy == pytest.approx(-1000 - math.log(10))


def test_a_slice_shares_the_classifications_of_the_batch() -> None:
    batch = random_scores(5)
    part = batch.slice(1, 3)
    assert (part.probabilities == batch.probabilities[1:3]).all()
    assert (part.logits == batch.logits[1:3]).all()
    assert part.classifications == batch.classifications[1:3]
    assert part.classifications[0] is batch.classifications[1]


def test_concatenated_slices_equal_the_batch() -> None:
    batch = random_scores(5)
    together = Scores.concatenate([batch.slice(0, 2), batch.slice(2, 5)])
    assert (together.probabilities == batch.probabilities).all()
    assert (together.logits == batch.logits).all()
    assert together.classifications == batch.classifications
