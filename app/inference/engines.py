"""Engines that run a SavedModel: callables from images to scores. Know no requests, no queue and no model card.

`openvino`, the default, loads the SavedModel without TensorFlow. `openvino-bf16` computes in bfloat16, on processors
that support it. `tensorflow` is the reference implementation, and the engine for GPUs.
"""

import time
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.inference.saved_models import OpenVINOModel, Precision, TensorFlowSignature, loading, precision_of
from app.inference.scores import Scores
from app.settings import EngineKind

LARGEST_BATCH = 32  # with 64 the time per image is the same, and the graph takes 4 MB more
BATCH_SIZES = (1, 2, 4, 8, 16, LARGEST_BATCH)
_CHEAP_PADDING = 4
"""The sizes between get a graph only if the largest batch takes more than this many times the time of one image.

Each graph takes a megabyte. Softmax takes 13 us for one image and 18 for 32, the convnet 36 and 550."""

TOLERANCES: dict[EngineKind, float] = {"openvino": 1e-3, "openvino-bf16": 0.04, "tensorflow": 1e-3}
"""How far probabilities may be from the recorded ones: another processor adds in another order."""

Images = NDArray[np.uint8]


class Engine(Protocol):
    """Scores images with one model."""

    runs_inline: bool
    """Whether the largest batch takes so little time that it may run on the event loop: see `batching.py`."""

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28), 1 <= n <= LARGEST_BATCH. Not thread-safe."""


class OpenVINOEngine:
    """Runs a SavedModel on one CPU thread, with compiled graphs for several batch sizes.

    Reusing a graph of a fixed shape costs nothing; a new shape for a dynamic graph costs milliseconds. So a batch is
    padded to the next size. Each graph has fixed buffers for its images and scores.

    In bfloat16, which has 8 of the 24 significant bits of float32, a batch takes three fifths of the time. Of MNIST's
    test images, one gets another digit, of two that are almost equally probable; a probability may differ by 0.04 from
    the one in float32.
    """

    # A batch of 32 takes 0.6 ms with the convnet, and a single image less time than a hand-over to another thread. The
    # large convnet takes 4 ms for 32 images, for which all other requests of the worker wait. In a thread it has less
    # than half of its rate, and the others wait as long.
    runs_inline = True

    def __init__(self, directory: Path, *, precision: Precision = "f32") -> None:
        """Load the SavedModel in `directory`.

        Raises:
            ValueError: if the processor does not support the precision.

        """
        model = OpenVINOModel(directory, precision)
        graphs = {size: _Graph(model, size) for size in (BATCH_SIZES[0], BATCH_SIZES[-1])}
        shortest, longest = map(_measure_seconds, graphs.values())
        if longest > _CHEAP_PADDING * shortest:
            graphs |= {size: _Graph(model, size) for size in BATCH_SIZES[1:-1]}
        self._graphs = dict(sorted(graphs.items()))

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28), 1 <= n <= LARGEST_BATCH."""
        size = next(size for size in self._graphs if size >= len(images))
        return self._graphs[size](images)

    def __del__(self) -> None:
        """Free one graph after the other: each takes a millisecond or two, in which no other Python thread runs."""
        graphs = getattr(self, "_graphs", {})  # not set if the model could not be loaded
        while graphs:
            graphs.popitem()


class _Graph:
    """A graph: the model compiled for one batch size, with fixed input and output buffers."""

    def __init__(self, model: OpenVINOModel, size: int) -> None:
        self._images = np.zeros((size, 28, 28), np.uint8)
        self._request = model.compile(self._images)
        self._probabilities = self._request.get_tensor("probabilities").data
        self._logits = self._request.get_tensor("logits").data

    def __call__(self, images: Images) -> Scores:
        count = len(images)
        self._images[:count] = images  # images of an earlier batch after these are scored too, and dropped
        self._request.infer(share_outputs=True)  # otherwise OpenVINO copies them as well
        return Scores(self._probabilities[:count].copy(), self._logits[:count].copy())


def _measure_seconds(graph: _Graph) -> float:
    """Return the time of the fastest of a few runs."""
    images = np.zeros((0, 28, 28), np.uint8)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        graph(images)
        times.append(time.perf_counter() - started)
    return min(times)


class TensorFlowEngine:
    """Runs a SavedModel in TensorFlow. It takes longer to start and more memory, and can use a GPU."""

    runs_inline = False

    def __init__(self, directory: Path) -> None:
        self._signature = TensorFlowSignature(directory)

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28)."""
        scores = self._signature(images=images)
        return Scores(scores["probabilities"], scores["logits"])


def load_engine(kind: EngineKind, directory: Path) -> Engine:
    """Load the SavedModel in `directory` into an engine of that kind.

    Raises:
        BrokenArtefact: if the engine cannot load it.

    """
    with loading(kind, directory):
        if kind == "tensorflow":
            return TensorFlowEngine(directory)
        return OpenVINOEngine(directory, precision=precision_of(kind))
