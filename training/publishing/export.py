"""Saves a trained classifier as an artefact, which is a SavedModel with its model card, and loads such artefacts.

`models/README.md` describes the format. Knows nothing of training or serving.
"""

import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

import imaging
from training.data.examples import Images
from training.networks import scale
from training.publishing import artefacts

BATCH_SIZE = 1_000

Signature = Callable[..., dict[str, tf.Tensor]]


class Servable(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A network with the parts that training and serving must share: input scaling and the softmax temperature.

    The ten logits of each image are shifted so that their sum is 0. A constant added to all ten changes no probability,
    so training leaves it arbitrary. It does change the energy, by which a model abstains.
    """

    def __init__(self, network: tf.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature
        self.predict = tf.function(
            self._predict, input_signature=[tf.TensorSpec([None, 28, 28], tf.uint8, name="images")]
        )
        self.predict_images = tf.function(
            self._predict_images, input_signature=[tf.TensorSpec([None, 784], tf.float32, name="images")]
        )

    def _predict(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._centred_logits(scale(images))
        return {"logits": logits, "probabilities": tf.nn.softmax(logits / self.temperature)}

    def _predict_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._centred_logits(tf.reshape(images, [-1, 28, 28]))
        return {"scores": tf.nn.softmax(logits / self.temperature)}

    def _centred_logits(self, images: tf.Tensor) -> tf.Tensor:
        logits = self.network(images)  # [B, 10]
        return logits - tf.reduce_mean(logits, axis=1, keepdims=True)


def predict_in_batches(signature: Signature, images: Images) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Classify images, uint8 (n, 28, 28), with a `serving_default`.

    Returns:
        Logits and probabilities, float32 (n, 10) each.

    """
    batches = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
    outputs = [signature(images=tf.constant(batch)) for batch in batches]
    logits, probabilities = (
        np.concatenate([output[name].numpy() for output in outputs]) for name in ("logits", "probabilities")
    )
    return logits, probabilities


def publish(servable: Servable, card: dict[str, Any], models: Path) -> Path:
    """Publish the next version of the model that the card names, and return its folder: see `artefacts.publish`."""
    return artefacts.publish(partial(save, servable), card, models)


def save(servable: Servable, folder: Path) -> None:
    """Write the SavedModel with its two signatures to a folder."""
    signatures = {
        "serving_default": servable.predict.get_concrete_function(),
        "predict_images": servable.predict_images.get_concrete_function(),
    }
    write_saved_model(servable, folder, signatures)


def write_saved_model(module: tf.Module, folder: Path, signatures: dict[str, Any]) -> None:
    """Write a SavedModel with these signatures, which are concrete functions of the module, to a folder."""
    tf.saved_model.save(module, folder, signatures)
    (folder / "assets").rmdir()  # always created, always empty, and not part of the format


def load(folder: Path) -> tuple[Signature, dict[str, Any]]:
    """Return the `serving_default` of an artefact and its model card. Raises ArtefactError if it is damaged."""
    card = artefacts.read_card(folder)
    return load_signature(folder), card


def load_signature(folder: Path) -> Signature:
    """Return the `serving_default` of a SavedModel. It needs no model card."""
    signature: Signature = tf.saved_model.load(folder).signatures["serving_default"]
    return signature


def software_versions() -> dict[str, str]:
    """Return the versions of the software that a run uses."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "digitserve": imaging.__version__,
    }
