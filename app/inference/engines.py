"""Engines that run a SavedModel: callables from images to scores. Know no requests, no queue and no model card.

`openvino`, the default, loads the SavedModel without TensorFlow. `openvino-bf16` computes in bfloat16, on processors
that support it. `tensorflow` is the reference implementation, and the engine for GPUs.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import BrokenArtefact
from app.inference.scores import Scores
from app.settings import EngineKind

# OpenVINO imports its model conversion tools if they are there. They take 6 MB and send telemetry to their maker; no
# engine here needs them.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # Python then reports that the module does not exist

import openvino as ov  # noqa: E402
from openvino.frontend import (  # noqa: E402
    FrontEndManager,
    GeneralFailure,
    InitializationFailure,
    OpConversionFailure,
    OpValidationFailure,
)

_OPENVINO_ERRORS = (GeneralFailure, InitializationFailure, OpConversionFailure, OpValidationFailure)

LARGEST_BATCH = 32  # with 64 the time per image is the same, and the graph takes 4 MB more
BATCH_SIZES = (1, 2, 4, 8, 16, LARGEST_BATCH)
_CHEAP_PADDING = 4
"""The sizes between get a graph only if the largest batch takes more than this many times the time of one image.

Each graph takes a megabyte. Softmax takes 16 us for one image and 27 for 32, the convnet 65 and 1,330."""

TOLERANCES: dict[EngineKind, float] = {"openvino": 1e-3, "openvino-bf16": 0.02, "tensorflow": 1e-3}
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

    In bfloat16, which has 8 of the 24 significant bits of float32, a batch takes three fifths of the time. The digit of
    every MNIST test image stays the same; a probability may differ by 0.02 from the one in float32.
    """

    # A batch of 32 takes less than 1 ms, and a single image less time than a hand-over to another thread.
    runs_inline = True

    def __init__(self, directory: Path, *, precision: Literal["f32", "bf16"] = "f32") -> None:
        """Load the SavedModel in `directory`.

        Raises:
            ValueError: if the processor does not support the precision.

        """
        core = ov.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            message = "this processor does not compute in bfloat16. Set ENGINE=openvino."
            raise ValueError(message)
        core.set_property(
            "CPU",
            {
                "INFERENCE_NUM_THREADS": 1,
                "NUM_STREAMS": 0,  # runs in the calling thread; a thread for each graph would take 1.6 MB
                "INFERENCE_PRECISION_HINT": precision,
                # With pinning, all processes pin their threads to the same first core: two workers are slower than one.
                "ENABLE_CPU_PINNING": False,
            },
        )
        model = _load_model(directory)
        graphs = {size: _Graph(core, model, size) for size in (BATCH_SIZES[0], BATCH_SIZES[-1])}
        shortest, longest = map(_measure_seconds, graphs.values())
        if longest > _CHEAP_PADDING * shortest:
            graphs |= {size: _Graph(core, model, size) for size in BATCH_SIZES[1:-1]}
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


def _load_model(directory: Path) -> ov.Model:
    """Load a SavedModel. `ov.Core` can do that too, but first loads the frontends of all other formats, 4 MB."""
    frontend = FrontEndManager().load_by_framework("tf")
    return frontend.convert(frontend.load(directory))


class _Graph:
    """A graph: the model compiled for one batch size, with fixed input and output buffers."""

    def __init__(self, core: ov.Core, model: ov.Model, size: int) -> None:
        fixed = model.clone()
        fixed.reshape([size, 28, 28])
        self._images = np.zeros((size, 28, 28), np.uint8)
        self._request = core.compile_model(fixed, "CPU").create_infer_request()
        self._request.set_input_tensor(ov.Tensor(self._images, shared_memory=True))
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
        # TensorFlow reads these on import. Each worker process has one core to itself.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf  # noqa: PLC0415 - optional; its import takes seconds

        self._constant: Any = tf.constant
        self._loaded: Any = tf.saved_model.load(str(directory))  # the signature is valid only as long as this object
        self._signature: Any = self._loaded.signatures["serving_default"]

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28)."""
        scores = self._signature(images=self._constant(images))
        return Scores(scores["probabilities"].numpy(), scores["logits"].numpy())


def load_engine(kind: EngineKind, directory: Path) -> Engine:
    """Load the SavedModel in `directory` into an engine of that kind.

    Raises:
        BrokenArtefact: if the engine cannot load it.

    """
    try:
        if kind == "tensorflow":
            return TensorFlowEngine(directory)
        return OpenVINOEngine(directory, precision="bf16" if kind == "openvino-bf16" else "f32")
    except (
        RuntimeError,
        OSError,
        ValueError,
        KeyError,
        *_OPENVINO_ERRORS,
    ) as error:  # what OpenVINO and TensorFlow raise
        message = f"{directory} cannot be loaded by {kind}: {error}"
        raise BrokenArtefact(message) from error
