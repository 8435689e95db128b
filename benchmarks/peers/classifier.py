"""The work of every peer: decode a picture file, and classify it with the SavedModel. Knows no server.

Each peer runs it in its own environment, so it needs only NumPy, an engine and, for files, Pillow. The variable ENGINE
chooses the engine: `tensorflow`, or `openvino`, with which this service runs the model.
"""  # noqa: INP001 - found by path, from any environment

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Engine = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Takes images, uint8 (n, 28, 28), and returns probabilities, (n, 10)."""


def read_image(file: BinaryIO) -> NDArray[np.uint8]:
    """Decode a picture to grey and resize it to 28x28 if needed: uint8 (28, 28)."""
    from PIL import Image  # noqa: PLC0415 - a peer that receives tensors has no Pillow

    with Image.open(file) as picture:
        grey = picture.convert("L")
    if grey.size != (28, 28):
        grey = grey.resize((28, 28))
    return np.asarray(grey)


class Classifier:
    """The SavedModel in one directory."""

    def __init__(self, directory: str | Path) -> None:
        load = {"tensorflow": load_with_tensorflow, "openvino": load_with_openvino}[os.environ["ENGINE"]]
        self._engine = load(str(directory))
        self(np.zeros((1, 28, 28), np.uint8))  # the first call is slow

    def __call__(self, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Classify images, uint8 (n, 28, 28)."""
        return [
            {"digit": int(row.argmax()), "confidence": float(row.max()), "probabilities": row.tolist()}
            for row in self._engine(images)
        ]


def load_with_tensorflow(directory: str) -> Engine:
    """Load a SavedModel with TensorFlow."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    loaded = tf.saved_model.load(directory)
    signature = loaded.signatures["serving_default"]

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = signature(images=tf.constant(images))["probabilities"].numpy()
        return probabilities

    run.loaded = loaded  # type: ignore[attr-defined]  # the signature is valid only as long as this object
    return run


def load_with_openvino(directory: str) -> Engine:
    """Load a SavedModel with OpenVINO, with a graph for each power of two: changing the shape of one takes longer."""
    import openvino as ov  # noqa: PLC0415 - the other engine needs none

    core = ov.Core()
    # Each worker has a core to itself. OpenVINO would pin the threads of both to the same one, and
    # compute in bfloat16 where the processor can.
    core.set_property(
        "CPU", {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "f32"}
    )
    model = core.read_model(directory)

    @cache
    def graph(size: int) -> ov.CompiledModel:
        fixed = model.clone()
        fixed.reshape([size, 28, 28])
        return core.compile_model(fixed, "CPU")

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = 1 << (len(images) - 1).bit_length()
        padded = np.zeros((size, 28, 28), np.uint8)
        padded[: len(images)] = images
        outputs = graph(size).infer_new_request({"images": padded})  # may run in several threads
        probabilities: NDArray[np.float32] = outputs["probabilities"][: len(images)]
        return probabilities

    for exponent in range(7):
        graph(1 << exponent)  # before the first request
    return run
