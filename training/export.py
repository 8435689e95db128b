"""A taught network as an artefact: the SavedModel with its card, published whole or not at all, and read again.

The format is in `models/README.md`. Knows nothing of how the network was taught or how it will be served.
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

from training.data import Images
from training.errors import ArtefactError
from training.networks import Network, scale
from training.versions import next_version

CARD = "model.json"
MEND = "Put its files back as they were published, or move the folder away."
BATCH_SIZE = 1_000

Predict = Callable[..., dict[str, tf.Tensor]]


class Servable(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A network with what has to be the same in training and in serving: scaling before it, the temperature after."""

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


def answer(predict: Predict, images: Images) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Ask a `serving_default` about images, uint8 (n, 28, 28): gives logits and probabilities, float32 (n, 10) each."""
    batches = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
    answers = [predict(images=tf.constant(batch)) for batch in batches]
    logits, probabilities = (
        np.concatenate([each[name].numpy() for each in answers]) for name in ("logits", "probabilities")
    )
    return logits, probabilities


def publish(servable: Servable, card: dict[str, Any], models: Path) -> Path:
    """Publish as the next free version of the model that the card names, and give its folder.

    The card comes without `version`, `created_at` and `files`, which are known only here. Everything is written into a
    hidden folder, flushed to disk and renamed, so a version is there whole or not at all, and two runs that publish
    at once get a version each.
    """
    siblings = models / card["name"]
    siblings.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{next_version(siblings)}-", dir=siblings))
    try:
        staging.chmod(0o755)  # mkdtemp's folders are for their owner alone; a service may run as another user
        save(servable, staging)
        return _rename_to_next_version(staging, card)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def save(servable: Servable, folder: Path) -> None:
    """Write the SavedModel with its two signatures into a folder."""
    signatures = {
        "serving_default": servable.predict.get_concrete_function(),
        "predict_images": servable.predict_images.get_concrete_function(),
    }
    tf.saved_model.save(servable, folder, signatures)
    (folder / "assets").rmdir()  # always made, always empty, and no part of the format


def _rename_to_next_version(staging: Path, card: dict[str, Any]) -> Path:
    siblings = staging.parent
    files = digests(staging)
    while True:
        version = next_version(siblings)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_card({**card, "version": version, "created_at": created_at, "files": files}, staging)
        flush(staging)
        try:
            published = staging.rename(siblings / str(version))
        except OSError:
            if not (siblings / str(version)).exists():
                raise
            continue  # another run has just taken this version
        _fsync(siblings)
        return published


def load(folder: Path) -> tuple[Predict, dict[str, Any]]:
    """Give the `serving_default` of an artefact and its card; raises what `read_card` does."""
    card = read_card(folder)
    return load_signature(folder), card


def read_card(folder: Path) -> dict[str, Any]:
    """Give the card of an artefact, or raise ArtefactError if it is none or the files are not those that it names."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder / CARD} cannot be read: {error}. {MEND}"
        raise ArtefactError(msg) from error
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        msg = f"{folder / CARD} is no model card: expected an object with the digest of each file under 'files'. {MEND}"
        raise ArtefactError(msg)
    found = digests(folder)
    differing = sorted({path for path, _ in found.items() ^ card["files"].items()})
    if differing:
        msg = f"{folder} does not match the digests in its {CARD}: {', '.join(differing)}. {MEND}"
        raise ArtefactError(msg)
    return card


def load_signature(folder: Path) -> Predict:
    """Give the `serving_default` of a SavedModel, with a card or without one."""
    signature: Predict = tf.saved_model.load(folder).signatures["serving_default"]
    return signature


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file in a folder but the card, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write `model.json` into a folder."""
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def flush(folder: Path) -> None:
    """Have everything in a folder on the disk, so that a rename cannot outlive what it names."""
    for path in [*folder.rglob("*"), folder]:
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
