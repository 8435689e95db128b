"""The whole pipeline on the real data: test images as picture files, through imaging and the engine."""

import os
from pathlib import Path

import numpy as np
import pytest

from app.inference.engines import LARGEST_BATCH, OpenVINOEngine
from app.model_repository.artefact import find_models, find_versions, read_card
from app.model_repository.card import Card
from app.settings import FINDER
from imaging import encode_png, preprocess_picture
from training.data.examples import Examples
from training.data.mnist import load_mnist

MODELS = Path(__file__).parent.parent / "models"
VERSIONS = [
    MODELS / name / str(number)
    for name in find_models(MODELS)
    if name != FINDER
    for number in find_versions(MODELS / name)
]

pytestmark = [pytest.mark.slow, pytest.mark.mnist]


@pytest.fixture(scope="module")
def examples() -> Examples:
    folder = os.environ.get("MNIST_DIR")
    return load_mnist(Path(folder) if folder else None).test


@pytest.fixture(scope="module")
def seen(examples: Examples) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.stack([preprocess_picture(encode_png(image)).image for image in examples.images])


def test_preprocessing_changes_no_test_image(
    examples: Examples, seen: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    np.testing.assert_array_equal(seen, examples.images)


@pytest.mark.parametrize("directory", VERSIONS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_service_has_the_accuracy_of_the_card(
    directory: Path, examples: Examples, seen: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    engine = OpenVINOEngine(directory)
    batches = (seen[start : start + LARGEST_BATCH] for start in range(0, len(seen), LARGEST_BATCH))
    digits = np.concatenate([engine(batch).probabilities.argmax(axis=1) for batch in batches])
    card = read_card(directory)
    assert isinstance(card, Card)
    test = card.test
    assert int((digits == examples.labels).sum()) == test.correct
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (examples.labels, digits), 1)
    assert confusion.tolist() == test.confusion
