"""Runs one SavedModel: a directory in, a callable from images to scores out. Knows no requests, queues or cards.

`openvino`, the default, reads the SavedModel itself; `openvino-bf16` is the same in bfloat16, where the processor has
that. `tensorflow` is the reference, and the one for GPUs.
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

# OpenVINO comes with tools that convert models, and would load them. They take 6 MB, and report to their maker that
# they were loaded; without them it does all that is wanted here.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # which Python takes for: there is none

import openvino as ov  # noqa: E402
from openvino.frontend import (  # noqa: E402
    FrontEndManager,
    GeneralFailure,
    InitializationFailure,
    OpConversionFailure,
    OpValidationFailure,
)

_FAILURES = (GeneralFailure, InitializationFailure, OpConversionFailure, OpValidationFailure)  # of reading a SavedModel

LARGEST_BATCH = 32  # with 64 an image takes as long, and the graph 4 MB more
BATCH_SIZES = (1, 2, 4, 8, 16, LARGEST_BATCH)
_CHEAP_PADDING = 4
"""Where the largest batch takes less than so many times what one image takes, there are no graphs for those between.

Each takes a megabyte. Softmax takes 16 us for one image and 27 for 32, the convnet 65 and 1,330."""

EngineKind = Literal["openvino", "openvino-bf16", "tensorflow"]
TOLERANCES: dict[EngineKind, float] = {"openvino": 1e-3, "openvino-bf16": 0.02, "tensorflow": 1e-3}
"""How far its probabilities may be from those that were recorded: another processor adds up in another order."""

Images = NDArray[np.uint8]


class Engine(Protocol):
    """The seam between a model and whatever runs it."""

    runs_inline: bool
    """Whether the largest batch is done so soon that an event loop may wait for it: see `batching.py`."""

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28), 1 <= n <= LARGEST_BATCH. Not for two threads at once."""


class OpenVINOEngine:
    """Runs a SavedModel on one CPU thread, with one compiled graph for each batch size that is worth it.

    A graph of a fixed shape costs nothing to reuse, where a new shape for a dynamic one costs milliseconds; so a batch
    is padded up to the next size. Each graph reads its images where they were put and leaves its scores in place.

    In bfloat16, which keeps 8 bits of each number's 24, a batch takes three fifths of the time, and of MNIST's test
    images each keeps its digit; a probability may be 0.02 from what it is in float32.
    """

    # A batch of 32 takes less than 1 ms, and a single image less than handing it to another thread does.
    runs_inline = True

    def __init__(self, directory: Path, *, precision: Literal["f32", "bf16"] = "f32") -> None:
        """Load the SavedModel in `directory`; raises ValueError if the processor does not have the precision."""
        core = ov.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            message = "this processor does not compute in bfloat16. Set ENGINE=openvino."
            raise ValueError(message)
        core.set_property(
            "CPU",
            {
                "INFERENCE_NUM_THREADS": 1,
                "NUM_STREAMS": 0,  # in the thread that asks; each graph would have one of its own, which takes 1.6 MB
                "INFERENCE_PRECISION_HINT": precision,
                # Every process would pin its thread to the same first core, and two workers be slower than one.
                "ENABLE_CPU_PINNING": False,
            },
        )
        model = _read(directory)
        ends = {size: _Graph(core, model, size) for size in (BATCH_SIZES[0], BATCH_SIZES[-1])}
        one, most = map(_time, ends.values())
        between = BATCH_SIZES[1:-1] if most > _CHEAP_PADDING * one else ()
        graphs = ends | {size: _Graph(core, model, size) for size in between}
        self._graphs = dict(sorted(graphs.items()))

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28), 1 <= n <= LARGEST_BATCH."""
        size = next(size for size in self._graphs if size >= len(images))
        return self._graphs[size](images)

    def __del__(self) -> None:
        """Free one graph after the other: each takes a millisecond or two that other Python threads stand still for."""
        graphs = getattr(self, "_graphs", {})  # there are none if the model could not be read
        while graphs:
            graphs.popitem()


def _read(directory: Path) -> ov.Model:
    """Read a SavedModel. `ov.Core` could too, but loads the readers of all other formats first, of 4 MB."""
    frontend = FrontEndManager().load_by_framework("tf")
    return frontend.convert(frontend.load(directory))


class _Graph:
    """A model compiled for one batch size, with its input bound once."""

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
        self._images[:count] = images  # what an earlier batch left behind these is scored too, and dropped
        self._request.infer(share_outputs=True)  # else it would copy them as well
        return Scores(self._probabilities[:count].copy(), self._logits[:count].copy())


def _time(graph: _Graph) -> float:
    """Return the seconds of the fastest of a few runs."""
    images = np.zeros((0, 28, 28), np.uint8)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        graph(images)
        times.append(time.perf_counter() - started)
    return min(times)


class TensorFlowEngine:
    """Runs a SavedModel in TensorFlow: slower to start and larger, and able to use a GPU."""

    runs_inline = False

    def __init__(self, directory: Path) -> None:
        # TensorFlow reads these while it is imported: each worker process has one core to itself.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf  # noqa: PLC0415 - the default engine must work, and start fast, without it

        self._constant: Any = tf.constant
        self._loaded: Any = tf.saved_model.load(str(directory))  # the signature lives only as long as this does
        self._signature: Any = self._loaded.signatures["serving_default"]

    def __call__(self, images: Images) -> Scores:
        """Score uint8 images of shape (n, 28, 28)."""
        scores = self._signature(images=self._constant(images))
        return Scores(scores["probabilities"].numpy(), scores["logits"].numpy())


def load_engine(kind: EngineKind, directory: Path) -> Engine:
    """Load the SavedModel in `directory` into the engine of that kind.

    Raises:
        BrokenArtefact: if the engine cannot load it.

    """
    try:
        if kind == "tensorflow":
            return TensorFlowEngine(directory)
        return OpenVINOEngine(directory, precision="bf16" if kind == "openvino-bf16" else "f32")
    except (RuntimeError, OSError, ValueError, KeyError, *_FAILURES) as error:  # what the two libraries raise
        message = f"{directory} cannot be loaded by {kind}: {error}"
        raise BrokenArtefact(message) from error
