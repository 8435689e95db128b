"""Saves a trained network as an artefact, which is a SavedModel with its model card, and loads artefacts.

`models/README.md` describes the format. Knows nothing of training or serving.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.examples import Images
from training.errors import ArtefactError
from training.networks import Network, scale
from training.publishing.published_versions import next_version

CARD = "model.json"
HOW_TO_REPAIR = "Restore its published files, or move the folder elsewhere."
BATCH_SIZE = 1_000

Signature = Callable[..., dict[str, tf.Tensor]]


class Servable(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A network with the parts that training and serving must share: input scaling and the softmax temperature."""

    def __init__(self, network: Network, temperature: float) -> None:
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
        logits = self.network(scale(images))  # [B, 10]
        return {"logits": logits, "probabilities": tf.nn.softmax(logits / self.temperature)}

    def _predict_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self.network(tf.reshape(images, [-1, 28, 28]))  # [B, 10]
        return {"scores": tf.nn.softmax(logits / self.temperature)}


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
    """Publish the next version of the model that the card names, and return its folder.

    Adds `version`, `created_at` and `files` to the card. Publishing is atomic: the files are written to a hidden
    folder, flushed to disk and renamed. Two runs that publish at the same time get different versions.
    """
    model = models / card["name"]
    model.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{next_version(model)}-", dir=model))
    try:
        staging.chmod(0o755)  # mkdtemp allows only the owner; the service may run as another user
        save(servable, staging)
        return _rename_to_next_version(staging, card)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def save(servable: Servable, folder: Path) -> None:
    """Write the SavedModel with its two signatures to a folder."""
    signatures = {
        "serving_default": servable.predict.get_concrete_function(),
        "predict_images": servable.predict_images.get_concrete_function(),
    }
    tf.saved_model.save(servable, folder, signatures)
    (folder / "assets").rmdir()  # always created, always empty, and not part of the format


def _rename_to_next_version(staging: Path, card: dict[str, Any]) -> Path:
    model = staging.parent
    files = digests(staging)
    while True:
        version = next_version(model)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_card({**card, "version": version, "created_at": created_at, "files": files}, staging)
        flush_to_disk(staging)
        try:
            published = staging.rename(model / str(version))
        except OSError:
            if not (model / str(version)).exists():
                raise
            continue  # another run has published this version meanwhile
        _fsync(model)
        return published


def load(folder: Path) -> tuple[Signature, dict[str, Any]]:
    """Return the `serving_default` of an artefact and its model card. Raises ArtefactError as `read_card` does."""
    card = read_card(folder)
    return load_signature(folder), card


def read_card(folder: Path) -> dict[str, Any]:
    """Return the model card of an artefact. Raises ArtefactError if it is invalid, or if a file's digest differs."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder / CARD} cannot be read: {error}. {HOW_TO_REPAIR}"
        raise ArtefactError(msg) from error
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        msg = f"{folder / CARD} is not a model card: expected an object with the digests of its files. {HOW_TO_REPAIR}"
        raise ArtefactError(msg)
    found = digests(folder)
    differing = sorted({path for path, _ in found.items() ^ card["files"].items()})
    if differing:
        msg = f"{folder} does not match the digests in its {CARD}: {', '.join(differing)}. {HOW_TO_REPAIR}"
        raise ArtefactError(msg)
    return card


def load_signature(folder: Path) -> Signature:
    """Return the `serving_default` of a SavedModel. It needs no model card."""
    signature: Signature = tf.saved_model.load(folder).signatures["serving_default"]
    return signature


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, except the card, by its path relative to the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write `model.json` to a folder."""
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def flush_to_disk(folder: Path) -> None:
    """Flush a folder and its files to disk, so that after a crash a renamed folder has all its files."""
    for path in [*folder.rglob("*"), folder]:
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
