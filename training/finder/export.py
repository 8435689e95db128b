"""Saves a trained finder as a SavedModel, and computes the maps of pictures with one.

`models/README.md` describes the format. Knows nothing of training or serving.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.pages.page import PAGE_SIDE
from training.finder.report import Maps
from training.networks import scale
from training.publishing import artefacts
from training.publishing.export import Signature, write_saved_model

BATCH_SIZE = 32


class ServableFinder(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A finder with the parts that training and serving must share: input scaling and the sigmoid."""

    def __init__(self, network: Callable[[tf.Tensor], tf.Tensor]) -> None:
        super().__init__()
        self.network = network
        self.find = tf.function(
            self._find,
            input_signature=[tf.TensorSpec([None, PAGE_SIDE, PAGE_SIDE, 3], tf.uint8, name="pictures")],
        )

    def _find(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        maps = tf.sigmoid(self.network(scale(pictures)))  # [B, 96, 96, 2]
        return {"ink": maps[..., 0], "cores": maps[..., 1]}


def find_in_batches(signature: Signature, pictures: npt.NDArray[np.uint8]) -> tuple[Maps, Maps]:
    """Compute the maps of pictures, uint8 (n, 192, 192, 3), with a `serving_default`.

    Returns:
        The probabilities of ink and of cores, float32 (n, 96, 96) each.

    """
    batches = (pictures[start : start + BATCH_SIZE] for start in range(0, len(pictures), BATCH_SIZE))
    outputs = [signature(pictures=tf.constant(batch)) for batch in batches]
    ink, cores = (np.concatenate([output[name].numpy() for output in outputs]) for name in ("ink", "cores"))
    return ink, cores


def publish(servable: ServableFinder, card: dict[str, Any], models: Path) -> Path:
    """Publish the next version of the finder, and return its folder: see `artefacts.publish`."""
    return artefacts.publish(partial(save, servable), card, models)


def save(servable: ServableFinder, folder: Path) -> None:
    """Write the SavedModel with its signature to a folder."""
    write_saved_model(servable, folder, {"serving_default": servable.find.get_concrete_function()})
