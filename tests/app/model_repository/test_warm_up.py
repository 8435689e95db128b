import base64
import zlib
from typing import Any

import numpy as np
import pytest

from app.errors import BrokenArtefact
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Card, SelfTest
from app.model_repository.warm_up import warm_up

TEMPERATURE = 2.0


def softmax(logits: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


class TopRows:
    """An engine whose logits are the brightness of ten rows."""

    runs_inline = True

    def __call__(self, images: Images) -> Scores:
        logits = images[:, :10].mean(axis=2, dtype=np.float32) / 255
        return Scores(softmax(logits / TEMPERATURE), logits)


class Uncalibrated(TopRows):
    def __call__(self, images: Images) -> Scores:
        logits = super().__call__(images).logits
        return Scores(softmax(logits), logits)


class NotANumber(TopRows):
    def __call__(self, images: Images) -> Scores:
        nothing = np.full((len(images), 10), np.nan, np.float32)
        return Scores(nothing, nothing)


class WrongInBatches(TopRows):
    def __call__(self, images: Images) -> Scores:
        return super().__call__(images if len(images) < 8 else np.flip(images, axis=1).copy())


class OtherWeights(TopRows):
    def __call__(self, images: Images) -> Scores:
        return super().__call__(np.flip(images, axis=1).copy())


@pytest.fixture
def images() -> Images:
    return np.random.default_rng(1).integers(0, 256, (3, 28, 28)).astype(np.uint8) * (np.arange(28) % 2).astype(
        np.uint8
    )


def card(images: Images | None = None) -> Card:
    """Make a card with what `TopRows` answers to images, if there are any."""
    test = None
    if images is not None:
        answers = TopRows()(images).probabilities.tolist()
        test = SelfTest(images=base64.b64encode(zlib.compress(images.tobytes())).decode(), probabilities=answers)
    return Card.model_construct(name="rows", version=1, temperature=TEMPERATURE, self_test=test)


def test_a_sound_version_passes_with_and_without_recorded_answers(images: Images) -> None:
    warm_up(TopRows(), card())
    warm_up(TopRows(), card(images))


@pytest.mark.parametrize(
    ("engine", "complaint"),
    [
        (Uncalibrated(), "its probabilities are not those of its logits"),
        (NotANumber(), "its probabilities are not those of its logits"),
        (WrongInBatches(), "a batch of 8 is not answered as single images"),
    ],
)
def test_a_version_that_contradicts_itself_fails(engine: TopRows, complaint: str) -> None:
    with pytest.raises(BrokenArtefact, match=rf"rows/1 has failed its self-test: {complaint}"):
        warm_up(engine, card())


def test_a_version_that_answers_otherwise_than_recorded_fails(images: Images) -> None:
    images[:, 18:] = 0
    warm_up(OtherWeights(), card())
    with pytest.raises(BrokenArtefact, match=r"does not answer as its model\.json recorded"):
        warm_up(OtherWeights(), card(images))


@pytest.mark.parametrize(
    ("recorded", "complaint"),
    [
        ("no base64!", "cannot be unpacked"),
        (base64.b64encode(b"no zlib").decode(), "cannot be unpacked"),
        (base64.b64encode(zlib.compress(b"few")).decode(), "has 3 pixels"),
        (base64.b64encode(zlib.compress(bytes(10_000_000))).decode(), "has 785 pixels or more, expected 784"),
    ],
)
def test_images_that_are_none_fail(recorded: str, complaint: str) -> None:
    test = SelfTest(images=recorded, probabilities=[[0.1] * 10])
    with pytest.raises(BrokenArtefact, match=complaint):
        warm_up(TopRows(), Card.model_construct(name="rows", version=1, temperature=1.0, self_test=test))
