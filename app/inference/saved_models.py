"""Loads SavedModels with OpenVINO or TensorFlow, for the engines. Knows no task, no model card and no requests."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import BrokenArtefact
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

Precision = Literal["f32", "bf16"]


class OpenVINOModel:
    """A SavedModel that OpenVINO compiles for fixed shapes and runs on one CPU thread."""

    def __init__(self, directory: Path, precision: Precision) -> None:
        """Load the SavedModel in `directory`.

        Raises:
            ValueError: if the processor does not support the precision.

        """
        self._core = ov.Core()
        if precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            message = "this processor does not compute in bfloat16. Set ENGINE=openvino."
            raise ValueError(message)
        self._core.set_property(
            "CPU",
            {
                "INFERENCE_NUM_THREADS": 1,
                "NUM_STREAMS": 0,  # runs in the calling thread; a thread for each graph would take 1.6 MB
                "INFERENCE_PRECISION_HINT": precision,
                # With pinning, all processes pin their threads to the same first core: two workers are slower than one.
                "ENABLE_CPU_PINNING": False,
            },
        )
        # `ov.Core` can load it too, but first loads the frontends of all other formats, 4 MB.
        frontend = FrontEndManager().load_by_framework("tf")
        self._model = frontend.convert(frontend.load(directory))

    def compile(self, inputs: NDArray[np.uint8]) -> ov.InferRequest:
        """Compile the model for the shape of `inputs`, the array that each run reads."""
        fixed = self._model.clone()
        fixed.reshape(list(inputs.shape))
        request = self._core.compile_model(fixed, "CPU").create_infer_request()
        request.set_input_tensor(ov.Tensor(inputs, shared_memory=True))
        return request


class TensorFlowSignature:
    """The signature `serving_default` of a SavedModel in TensorFlow."""

    def __init__(self, directory: Path) -> None:
        # TensorFlow reads these on import. Each worker process has one core to itself.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf  # noqa: PLC0415 - optional; its import takes seconds

        self._constant: Any = tf.constant
        self._loaded: Any = tf.saved_model.load(str(directory))  # the signature is valid only as long as this object
        self._signature: Any = self._loaded.signatures["serving_default"]

    def __call__(self, **inputs: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """Run it with arrays by the names of its inputs; return arrays by the names of its outputs."""
        outputs = self._signature(**{name: self._constant(array) for name, array in inputs.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def precision_of(kind: EngineKind) -> Precision:
    """Return the precision in which an engine of this kind computes."""
    return "bf16" if kind == "openvino-bf16" else "f32"


@contextmanager
def loading(kind: EngineKind, directory: Path) -> Iterator[None]:
    """Turn what OpenVINO and TensorFlow raise within the block into BrokenArtefact."""
    try:
        yield
    except (RuntimeError, OSError, ValueError, KeyError, *_OPENVINO_ERRORS) as error:
        message = f"{directory} cannot be loaded by {kind}: {error}"
        raise BrokenArtefact(message) from error
