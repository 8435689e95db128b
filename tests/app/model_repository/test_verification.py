import base64
import zlib
from typing import Any

import numpy as np
import pytest

from app.errors import BrokenArtefact
from app.inference.engines import Images
from app.inference.finder_engine import FinderMaps, Pictures
from app.inference.scores import Scores
from app.model_repository.card import Card, FinderCard, SelfTest
from app.model_repository.verification import verify_finder, warm_up_and_verify
from tests.app import tiny_finder
from tests.app.tiny_finder import Darkness, compress, draw_pages

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
    """Make a card with the probabilities of `TopRows` for the images, if there are any, as its self-test."""
    test = None
    if images is not None:
        probabilities = TopRows()(images).probabilities.tolist()
        test = SelfTest(images=base64.b64encode(zlib.compress(images.tobytes())).decode(), probabilities=probabilities)
    return Card.model_construct(name="rows", version=1, temperature=TEMPERATURE, self_test=test)


def test_a_correct_version_passes_with_and_without_a_self_test(images: Images) -> None:
    warm_up_and_verify(TopRows(), card())
    warm_up_and_verify(TopRows(), card(images))


@pytest.mark.parametrize(
    ("engine", "failure"),
    [
        (Uncalibrated(), "its probabilities are not those of its logits"),
        (NotANumber(), "its probabilities are not those of its logits"),
        (WrongInBatches(), "a batch of 8 differs from single images"),
    ],
)
def test_a_version_with_inconsistent_probabilities_fails(engine: TopRows, failure: str) -> None:
    with pytest.raises(BrokenArtefact, match=rf"rows/1 has failed verification: {failure}"):
        warm_up_and_verify(engine, card())


def test_other_probabilities_than_those_in_the_self_test_fail(images: Images) -> None:
    images[:, 18:] = 0
    warm_up_and_verify(OtherWeights(), card())
    with pytest.raises(BrokenArtefact, match=r"its probabilities differ from those in its model\.json"):
        warm_up_and_verify(OtherWeights(), card(images))


@pytest.mark.parametrize(
    ("recorded", "failure"),
    [
        ("no base64!", "cannot be decompressed"),
        (base64.b64encode(b"no zlib").decode(), "cannot be decompressed"),
        (base64.b64encode(zlib.compress(b"few")).decode(), "self_test of rows/1 has 3 bytes of images"),
        (base64.b64encode(zlib.compress(bytes(10_000_000))).decode(), "has 785 bytes of images or more, expected 784"),
    ],
)
def test_self_test_images_that_cannot_be_decoded_fail(recorded: str, failure: str) -> None:
    test = SelfTest(images=recorded, probabilities=[[0.1] * 10])
    with pytest.raises(BrokenArtefact, match=failure):
        warm_up_and_verify(TopRows(), Card.model_construct(name="rows", version=1, temperature=1.0, self_test=test))


class InkOnly(Darkness):
    def __call__(self, pictures: Pictures) -> FinderMaps:
        ink = super().__call__(pictures).ink
        return FinderMaps(ink, ink)


class NoNumbers(Darkness):
    def __call__(self, pictures: Pictures) -> FinderMaps:
        maps = super().__call__(pictures)
        return FinderMaps(maps.ink * np.nan, maps.cores)


class WithChannel(Darkness):
    def __call__(self, pictures: Pictures) -> FinderMaps:
        maps = super().__call__(pictures)
        return FinderMaps(maps.ink[..., np.newaxis], maps.cores)


def finder_card(**self_test: str) -> FinderCard:
    """Make a card with the maps of `Darkness` as its self-test, with other fields instead."""
    members = tiny_finder.card()
    return FinderCard.model_validate(members | {"self_test": members["self_test"] | self_test})


def test_a_correct_finder_passes() -> None:
    verify_finder(Darkness(), finder_card())


@pytest.mark.parametrize(
    ("engine", "failure"),
    [
        (InkOnly(), r"its map 'cores' differs by 0\.\d+ from the one in its model\.json"),
        (NoNumbers(), "its map 'ink' differs by nan"),
        (WithChannel(), r"its map 'ink' has the shape \(1, 96, 96, 1\), expected \(1, 96, 96\)"),
    ],
)
def test_a_finder_with_other_maps_fails(engine: Darkness, failure: str) -> None:
    with pytest.raises(BrokenArtefact, match=f"finder/1 has failed verification: {failure}"):
        verify_finder(engine, finder_card())


@pytest.mark.parametrize(
    ("self_test", "failure"),
    [
        ({"pictures": "no base64!"}, "self_test of finder/1 has pictures that cannot be decompressed"),
        (
            {"pictures": compress(np.zeros(0, np.uint8))},
            "has 0 bytes of pictures or more, expected 110,592 to 1,769,472",
        ),
        ({"pictures": compress(draw_pages(17))}, "has 1,769,473 bytes of pictures"),
        ({"pictures": compress(draw_pages(2))}, "has 9,216 bytes of ink or more, expected 18,432"),
        ({"cores": compress(np.zeros(9_217, np.uint8))}, "has 9,217 bytes of cores or more, expected 9,216"),
    ],
)
def test_a_self_test_of_a_finder_that_cannot_be_decoded_fails(self_test: dict[str, str], failure: str) -> None:
    with pytest.raises(BrokenArtefact, match=failure):
        verify_finder(Darkness(), finder_card(**self_test))
