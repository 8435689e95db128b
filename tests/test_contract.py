"""The artefact is the interface: `app` serves what `training` publishes, and both engines give the same predictions."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest

from app.model_repository.card import Card
from imaging import decode, encode_png
from tests.conftest import Serve
from training.data.examples import Examples
from training.data.mnist import Mnist
from training.recipes import CONVNET

pytestmark = pytest.mark.slow


def draw_examples(count: int) -> Examples:
    """Draw ten classes of images that are easy to classify: a bar in a row of its own, and noise."""
    rng = np.random.default_rng(count)
    labels = rng.integers(0, 10, count).astype(np.int32)
    images = rng.integers(0, 60, (count, 28, 28))
    images[np.arange(count), 4 + 2 * labels, 4:24] = 255
    return Examples(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def data() -> Mnist:
    return Mnist(train=draw_examples(500), validation=draw_examples(130), test=draw_examples(170))


@pytest.fixture(scope="module")
def artefact(data: Mnist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training import run  # noqa: PLC0415 (imports TensorFlow, which the fast suite must not)

    recipe = replace(
        CONVNET,
        distillation=None,
        iterations=40,
        batch_size=25,
        warmup=5,
        synthetic_digits=0,
        synthetic_non_digits=0,
        accuracy_threshold=0.0,
        corrupted_accuracy_threshold=0.01,
        worst_corruption_threshold=0.0,
    )
    folder = run.publish(run.train(recipe, data), tmp_path_factory.mktemp("models"), data.test)
    assert folder
    return folder


def test_the_card_is_valid_by_the_schema(artefact: Path) -> None:
    card = Card.model_validate_json((artefact / "model.json").read_bytes())
    assert (card.name, card.version) == ("convnet", 1)
    assert card.corrupted
    assert len(card.corrupted) == 15
    assert card.self_test
    assert len(card.self_test.probabilities) == 10
    assert set(card.files) == {
        path.relative_to(artefact).as_posix()
        for path in artefact.rglob("*")
        if path.is_file() and path.name != "model.json"
    }


@pytest.mark.parametrize("batch", [1, 64])
def test_openvino_loads_the_folder_and_agrees_with_tensorflow(artefact: Path, data: Mnist, batch: int) -> None:
    from training.publishing.export import load, predict_in_batches  # noqa: PLC0415 (imports TensorFlow)

    signature, _ = load(artefact)
    images = data.test.images[:batch]
    logits, probabilities = predict_in_batches(signature, images)

    model = openvino.Core().read_model(artefact)
    model.reshape([batch, 28, 28])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"images": images})
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)


def test_tensorflow_loads_both_signatures(artefact: Path, data: Mnist) -> None:
    import tensorflow as tf  # noqa: PLC0415 (takes seconds, which the fast suite must not)

    signatures = tf.saved_model.load(artefact).signatures
    assert set(signatures) == {"serving_default", "predict_images"}
    probabilities = signatures["serving_default"](images=tf.constant(data.test.images))["probabilities"]
    scores = signatures["predict_images"](images=tf.constant(data.test.images.reshape(-1, 784) / 255, tf.float32))[
        "scores"
    ]
    np.testing.assert_allclose(scores, probabilities, atol=1e-5)


@pytest.mark.anyio
@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
async def test_the_service_answers_as_the_network_does(artefact: Path, data: Mnist, serve: Serve, engine: str) -> None:
    from training.publishing.export import load, predict_in_batches  # noqa: PLC0415 (imports TensorFlow)

    pictures = [encode_png(image) for image in data.test.images[:64]]
    signature, card = load(artefact)
    async with serve(models_dir=artefact.parent.parent, required_models="convnet", engine=engine) as client:
        files = [("file", ("x.png", picture, "image/png")) for picture in pictures]
        answers = (await client.post("/predict/batch?seen=true", files=files)).json()["predictions"]
        metrics = (await client.get("/metrics")).json()["models"]
    seen = [decode(base64.b64decode(answer["seen"].partition(",")[2])) for answer in answers]
    _, probabilities = predict_in_batches(signature, np.stack(seen))
    np.testing.assert_allclose([answer["probabilities"] for answer in answers], probabilities, atol=1e-5)
    assert metrics["convnet"]["test"] == card["test"]
