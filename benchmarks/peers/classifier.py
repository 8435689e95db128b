"""The work of every peer: decode a picture file, and classify it with the SavedModel. Knows no server.

Each peer runs it in its own environment, so it needs only NumPy, TensorFlow and, for files, Pillow.
"""  # noqa: INP001 - found by path, from any environment

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def read_image(file: BinaryIO) -> NDArray[np.uint8]:
    """Decode a picture to grey and resize it to 28x28 if needed: uint8 (28, 28)."""
    from PIL import Image  # noqa: PLC0415 - a peer that receives tensors has no Pillow

    with Image.open(file) as picture:
        grey = picture.convert("L")
    if grey.size != (28, 28):
        grey = grey.resize((28, 28))
    return np.asarray(grey)


class Classifier:
    """The SavedModel in one directory, run by TensorFlow."""

    def __init__(self, directory: str | Path) -> None:
        self._loaded = tf.saved_model.load(str(directory))  # keeps the signature alive
        self._signature = self._loaded.signatures["serving_default"]
        self(np.zeros((1, 28, 28), np.uint8))  # the first call is slow

    def __call__(self, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Classify images, uint8 (n, 28, 28)."""
        probabilities = self._signature(images=tf.constant(images))["probabilities"].numpy()
        return [
            {"digit": int(row.argmax()), "confidence": float(row.max()), "probabilities": row.tolist()}
            for row in probabilities
        ]
