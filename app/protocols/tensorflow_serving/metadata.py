"""Describes the versions and signatures of a model, in the format of TensorFlow Serving."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.model_repository.signatures import Signature, TensorInfo
from app.model_repository.versions import Loaded, LoadedVersion, Version

_STATES: Mapping[str, str] = {
    "waiting": "START",
    "loading": "LOADING",
    "ready": "AVAILABLE",
    "unloading": "UNLOADING",
    "not_loaded": "END",
    "failed": "END",
}
CLASSIFY = "classify_images"
"""The signature of `:classify`. The service implements it; it is not in the SavedModel."""
_CLASSIFY = Signature(
    inputs={"inputs": TensorInfo("", "DT_STRING", (-1,))},
    outputs={"classes": TensorInfo("", "DT_STRING", (-1, 10)), "scores": TensorInfo("", "DT_FLOAT", (-1, 10))},
    method_name="tensorflow/serving/classify",
)


def describe_status(versions: Iterable[Version]) -> dict[str, Any]:
    """Return the states of versions, in the format of the message GetModelStatusResponse."""
    return {
        "model_version_status": [
            {
                "version": str(version.number),
                "state": _STATES[version.state],
                "status": {
                    "error_code": "FAILED_PRECONDITION" if version.state == "failed" else "OK",
                    "error_message": version.reason or "",
                },
            }
            for version in versions
        ]
    }


def describe_metadata(loaded: Loaded) -> dict[str, Any]:
    """Return the signatures of a version, in the format of the message GetModelMetadataResponse."""
    own = {CLASSIFY: _CLASSIFY} if isinstance(loaded, LoadedVersion) else {}
    signatures = {
        name: {
            "inputs": _describe_tensors(signature.inputs),
            "outputs": _describe_tensors(signature.outputs),
            "method_name": signature.method_name,
            "defaults": {},
        }
        for name, signature in {**loaded.signatures, **own}.items()
    }
    return {
        "model_spec": {"name": loaded.card.name, "signature_name": "", "version": str(loaded.card.version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _describe_tensors(tensors: Mapping[str, TensorInfo]) -> dict[str, Any]:
    return {
        name: {
            "dtype": tensor.dtype,
            "tensor_shape": {
                "dim": [{"size": str(length), "name": ""} for length in tensor.shape or ()],
                "unknown_rank": tensor.shape is None,
            },
            "name": tensor.name,
        }
        for name, tensor in tensors.items()
    }
