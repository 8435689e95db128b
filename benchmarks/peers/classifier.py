"""The work that every peer does: a picture file in, the answer of the SavedModel out. Knows nothing of any server.

Each peer runs it in its own environment, so it needs only NumPy, TensorFlow and, for files, Pillow.
"""  # noqa: INP001 - found by path, from any environment

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def read_image(file: BinaryIO) -> NDArray[np.uint8]:
    """Decode a picture as grey and resize it to 28x28 where it is not: uint8 (28, 28)."""
    from PIL import Image  # noqa: PLC0415 - a peer that is sent tensors has no Pillow

    with Image.open(file) as picture:
        grey = picture.convert("L")
    if grey.size != (28, 28):
        grey = grey.resize((28, 28))
    return np.asarray(grey)


class Classifier:
    """The SavedModel in one directory, run by TensorFlow."""

    def __init__(self, directory: str | Path) -> None:
        self._loaded = tf.saved_model.load(str(directory))  # the signature lives only as long as this does
        self._signature = self._loaded.signatures["serving_default"]
        self(np.zeros((1, 28, 28), np.uint8))  # the first call is slow

    def __call__(self, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Answer for images, uint8 (n, 28, 28)."""
        probabilities = self._signature(images=tf.constant(images))["probabilities"].numpy()
        return [
            {"digit": int(row.argmax()), "confidence": float(row.max()), "probabilities": row.tolist()}
            for row in probabilities
        ]
