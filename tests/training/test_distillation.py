from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training.data.mnist import Mnist
from training.distillation import Teacher, load_teacher, soften
from training.errors import ArtefactError
from training.networks import build_convnet, scale
from training.publishing import export
from training.recipes import Distillation

pytestmark = pytest.mark.slow

DISTILLATION = Distillation("tiny/1", temperature=2.0, share=0.25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Publish an untrained network."""
    servable = export.Servable(build_convnet(seed=1), temperature=0.5)
    return export.publish(servable, {"name": "tiny"}, tmp_path)


def probabilities_of(digit: int, probability: float) -> list[float]:
    """Return ten probabilities: this one for the digit, and the rest shared equally by the others."""
    return [probability if each == digit else (1 - probability) / 9 for each in range(10)]


def test_a_higher_temperature_softens_probabilities() -> None:
    probabilities = tf.constant([[0.64, 0.36, 0.0]])
    np.testing.assert_allclose(soften(probabilities, 1.0), probabilities, atol=1e-6)
    np.testing.assert_allclose(soften(probabilities, 2.0), [[0.8 / 1.4, 0.6 / 1.4, 0]], atol=1e-6)


def test_a_target_contains_the_share_of_the_teacher() -> None:
    teacher = Teacher({}, lambda _images: tf.constant([probabilities_of(3, 0.9)]), DISTILLATION)
    labels = tf.one_hot([3], 10)
    smoothed = 0.5 * labels + 0.05
    distilled = teacher.distill(tf.zeros([1, 28, 28]), labels, smoothed)
    np.testing.assert_allclose(
        distilled, 0.75 * smoothed + 0.25 * soften(tf.constant([probabilities_of(3, 0.9)]), 2.0), atol=1e-6
    )
    assert float(tf.reduce_sum(distilled)) == pytest.approx(1)


def test_a_teacher_that_contradicts_the_label_is_ignored() -> None:
    predicted = tf.constant([probabilities_of(3, 0.9), probabilities_of(3, 0.9), probabilities_of(0, 0.9)])
    teacher = Teacher({}, lambda _images: predicted, DISTILLATION)
    labels = tf.concat([tf.one_hot([3, 8], 10), tf.fill([1, 10], 0.1)], axis=0)  # the last image shows no digit
    distilled = teacher.distill(tf.zeros([3, 28, 28]), labels, labels).numpy()
    np.testing.assert_array_equal(distilled[1:], labels[1:])
    assert distilled[0, 3] < 1


def test_a_teacher_predicts_the_probabilities_of_the_published_version(folder: Path, bars: Mnist) -> None:
    teacher = load_teacher(folder, DISTILLATION)
    signature, _ = export.load(folder)
    _, probabilities = export.predict_in_batches(signature, bars.test.images)
    np.testing.assert_allclose(teacher.predict(scale(tf.constant(bars.test.images))), probabilities, atol=1e-6)
    assert np.ptp(probabilities) > 0.01


def test_an_altered_teacher_is_not_loaded(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"another")
    with pytest.raises(ArtefactError, match=r"does not match the digests in its model\.json: saved_model\.pb"):
        load_teacher(folder, DISTILLATION)
