import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.data.mnist import Mnist
from training.errors import ArtefactError
from training.networks import Affine
from training.publishing import export
from training.publishing.published_versions import find_version

pytestmark = pytest.mark.slow

CARD: dict[str, Any] = {"name": "tiny", "temperature": 2.0}


@pytest.fixture
def servable() -> export.Servable:
    weights = np.random.default_rng(0).normal(0, 0.1, (784, 10)).astype(np.float32)
    return export.Servable(Affine(tf.constant(weights), tf.zeros([10])), temperature=2.0)


def test_the_servable_includes_scaling_and_temperature(servable: export.Servable, bars: Mnist) -> None:
    logits, probabilities = export.predict_in_batches(servable.predict, bars.test.images)
    expected = bars.test.images.reshape(-1, 784) / 255 @ servable.network.weights.numpy()
    np.testing.assert_allclose(logits, expected - expected.mean(axis=1, keepdims=True), atol=1e-4)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits / 2), atol=1e-6)


def test_the_logits_of_each_image_sum_to_zero(servable: export.Servable, bars: Mnist) -> None:
    servable.network.biases.assign(tf.fill([10], 7.0))
    logits, _ = export.predict_in_batches(servable.predict, bars.test.images)
    np.testing.assert_allclose(logits.sum(axis=1), np.zeros(len(bars.test)), atol=1e-4)


def test_the_legacy_signature_has_the_same_probabilities(servable: export.Servable, bars: Mnist) -> None:
    _, probabilities = export.predict_in_batches(servable.predict, bars.test.images)
    scores = servable.predict_images(tf.constant(bars.test.images.reshape(-1, 784) / 255, tf.float32))["scores"]
    np.testing.assert_allclose(scores, probabilities, atol=1e-6)


def test_a_smaller_last_batch_is_classified_too(
    servable: export.Servable, bars: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = export.predict_in_batches(servable.predict, bars.test.images)
    monkeypatch.setattr(export, "BATCH_SIZE", 100)
    np.testing.assert_allclose(export.predict_in_batches(servable.predict, bars.test.images)[0], whole, atol=1e-5)


def test_a_published_model_is_loaded(servable: export.Servable, bars: Mnist, tmp_path: Path) -> None:
    folder = export.publish(servable, CARD, tmp_path)
    assert folder == find_version(tmp_path, "tiny") == tmp_path / "tiny" / "1"
    predict, card = export.load(folder)
    assert card["version"] == 1
    assert card.items() >= CARD.items()
    for left, right in zip(
        export.predict_in_batches(predict, bars.test.images),
        export.predict_in_batches(servable.predict, bars.test.images),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)


def test_an_artefact_has_the_files_of_its_format_and_is_readable_by_other_users(
    servable: export.Servable, tmp_path: Path
) -> None:
    folder = export.publish(servable, CARD, tmp_path)
    files = json.loads((folder / "model.json").read_text())["files"]
    assert set(files) == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    assert {path.name for path in folder.iterdir()} == {"saved_model.pb", "fingerprint.pb", "variables", "model.json"}
    assert folder.stat().st_mode & 0o055 == 0o055


def test_a_damaged_artefact_is_not_loaded(servable: export.Servable, tmp_path: Path) -> None:
    folder = export.publish(servable, CARD, tmp_path)
    (folder / "saved_model.pb").write_bytes(b"altered")
    with pytest.raises(ArtefactError, match=r"saved_model\.pb"):
        export.load(folder)
