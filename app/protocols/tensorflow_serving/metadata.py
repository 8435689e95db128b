"""Describes the versions and signatures of a model, in the format of TensorFlow Serving."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.inference.finder_engine import MAP_SIDE, PICTURE_SIDE
from app.model_repository.versions import Version
from app.settings import FINDER

_STATES: Mapping[str, str] = {
    "waiting": "START",
    "loading": "LOADING",
    "ready": "AVAILABLE",
    "unloading": "UNLOADING",
    "not_loaded": "END",
    "failed": "END",
}
_Signatures = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
_CLASSIFIER: _Signatures = {
    "serving_default": (
        {"images": ("DT_UINT8", (-1, 28, 28))},
        {"logits": ("DT_FLOAT", (-1, 10)), "probabilities": ("DT_FLOAT", (-1, 10))},
    ),
    "predict_images": ({"images": ("DT_FLOAT", (-1, 784))}, {"scores": ("DT_FLOAT", (-1, 10))}),
}
_FINDER: _Signatures = {
    "serving_default": (
        {"pictures": ("DT_UINT8", (-1, PICTURE_SIDE, PICTURE_SIDE, 3))},
        dict.fromkeys(("ink", "cores"), ("DT_FLOAT", (-1, MAP_SIDE, MAP_SIDE))),
    ),
}


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


def describe_metadata(name: str, version: int) -> dict[str, Any]:
    """Return the signatures of a version, in the format of the message GetModelMetadataResponse."""
    signatures = {
        signature: {
            "inputs": _describe_tensors(signature, inputs),
            "outputs": _describe_tensors("StatefulPartitionedCall", outputs),
            "method_name": "tensorflow/serving/predict",
        }
        for signature, (inputs, outputs) in (_FINDER if name == FINDER else _CLASSIFIER).items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _describe_tensors(node: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "dtype": dtype,
            "tensor_shape": {"dim": [{"size": str(length), "name": ""} for length in shape], "unknown_rank": False},
            "name": f"{node}_{name}:0",
        }
        for name, (dtype, shape) in tensors.items()
    }
