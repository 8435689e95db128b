"""Two engines whose logits are constant, and the service with the published models."""

import io
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Abstention
from app.model_repository.versions import LoadedVersion
from app.prediction.digit_classifier import DigitClassifier
from tests.conftest import Serve

pytestmark = pytest.mark.anyio

IMAGES = np.zeros((3, 28, 28), np.uint8)


class Constant:
    """An engine that predicts one digit, with one energy, for every image, and counts its images."""

    runs_inline = True

    def __init__(self, digit: int, energy: float) -> None:
        self.digit, self.energy, self.images = digit, energy, 0

    def __call__(self, images: Images) -> Scores:
        self.images += len(images)
        probabilities = np.full((len(images), 10), 0.01, np.float32)
        probabilities[:, self.digit] = 0.91
        return Scores(probabilities, np.full((len(images), 10), -self.energy - np.log(10), np.float32))


class SilentObserver:
    """Receives what the batcher reports, and keeps nothing."""

    def observe_queue_size(self, images: int) -> None: ...
    def observe_queue_time(self, seconds: float) -> None: ...
    def observe_batch(self, images: int, seconds: float) -> None: ...


class StubCatalogue:
    """A catalogue of which only the default classifier is known."""

    def __init__(self, default: LoadedVersion | None) -> None:
        self._default = default

    def default_classifier(self) -> LoadedVersion | None:
        return self._default


def load(engine: Constant, energy: float | None) -> LoadedVersion:
    card = SimpleNamespace(abstention=Abstention(confidence=0.5, energy=energy))
    return LoadedVersion(card, Batcher(engine, queue_size=100, observer=SilentObserver()))  # type: ignore[arg-type]


def classifier_of(version: LoadedVersion, default: LoadedVersion | None) -> DigitClassifier:
    return DigitClassifier.of(version, StubCatalogue(default))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["classify", "classify_in_turns", "classify_inline"])
async def test_the_energies_of_the_default_model_stand_in_for_those_of_a_model_without_a_threshold(way: str) -> None:
    linear, default = load(Constant(7, -100), None), load(Constant(3, -2), -4)
    classifier = classifier_of(linear, default)
    found = getattr(classifier, way)(IMAGES)
    classifications = found if isinstance(found, list) else await found
    assert [each.digit for each in classifications] == [7, 7, 7]
    assert [each.energy for each in classifications] == pytest.approx([-2, -2, -2], abs=1e-5)
    assert classifier.thresholds == Abstention(confidence=0.5, energy=-4)


async def test_a_model_with_a_threshold_is_the_only_one_that_scores() -> None:
    default = Constant(3, -2)
    classifier = classifier_of(load(Constant(7, -6), -4), load(default, -5))
    assert [each.energy for each in await classifier.classify(IMAGES)] == pytest.approx([-6, -6, -6], abs=1e-5)
    assert classifier.thresholds.energy == -4
    assert default.images == 0


async def test_without_another_model_that_has_a_threshold_there_is_none() -> None:
    linear = load(Constant(7, -100), None)
    for default in (None, linear, load(Constant(3, -2), None)):
        classifier = classifier_of(linear, default)
        assert classifier.thresholds.energy is None
        assert (await classifier.classify(IMAGES))[0].energy == pytest.approx(-100, abs=1e-4)


async def test_no_images_in_turns_are_no_classifications() -> None:
    assert await classifier_of(load(Constant(7, -100), None), None).classify_in_turns(IMAGES[:0]) == []


@pytest.fixture(scope="module")
async def without_convnet(anyio_backend: str, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(default_model="softmax", required_models={"softmax"}) as client:
        yield client


def draw_letter() -> bytes:
    """Return a PNG file of an M."""
    picture = Image.new("L", (280, 280), 250)
    ImageDraw.Draw(picture).line([(60, 220), (75, 60), (140, 160), (205, 60), (220, 220)], 10, width=22, joint="curve")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def test_softmax_abstains_from_a_letter_by_the_doubt_of_the_convnet(
    client: httpx.AsyncClient, without_convnet: httpx.AsyncClient, seven: bytes
) -> None:
    async def predict(client: httpx.AsyncClient, data: bytes) -> dict[str, object]:
        headers = {"content-type": "image/png"}
        response = await client.post("/predict?model=softmax", content=data, headers=headers)
        answer: dict[str, object] = response.json()
        return answer

    doubted, alone = await predict(client, draw_letter()), await predict(without_convnet, draw_letter())
    assert doubted["reason"] == "not_a_digit"
    assert alone["reason"] != "not_a_digit"
    assert (await predict(client, seven))["abstained"] is False
