"""Describes the service, its models and what they have done, as the protocol and Triton's extensions have it."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.model_repository.versions import Version, Versions
from app.observability.statistics import Statistics
from app.protocols.open_inference.requests import OUTPUTS
from imaging import __version__

_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_repository",
    "statistics",
    "parameters",
    "model_configuration",
)
_PLATFORM = "tensorflow_savedmodel"
_STATES: Mapping[str, str] = {
    "waiting": "LOADING",
    "loading": "LOADING",
    "ready": "READY",
    "unloading": "UNLOADING",
    "failed": "UNAVAILABLE",
    "not_loaded": "UNAVAILABLE",
}
_INPUT = {"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}
_ALTERNATIVES = {
    "images_datatypes": "UINT8: ink 0 to 255, white on black; FP32: ink 0.0 to 1.0, rounded to those",
    "picture_input": "image: BYTES [-1], picture files in the place of images; as base64 within JSON",
}


def describe_server() -> dict[str, Any]:
    """Name the service and the extensions it speaks."""
    return {"name": "digitserve", "version": __version__, "extensions": _EXTENSIONS}


def describe_model(name: str, versions: Iterable[int]) -> dict[str, Any]:
    """Name the tensors of a model, and the versions of it that answer."""
    outputs = [{"name": output, "datatype": "FP32", "shape": [-1, 10]} for output in OUTPUTS]
    return {
        "name": name,
        "versions": list(map(str, sorted(versions))),
        "platform": _PLATFORM,
        "inputs": [_INPUT],
        "outputs": outputs,
        "parameters": _ALTERNATIVES,
    }


def describe_configuration(name: str, *, engine: str, versions: Iterable[int]) -> dict[str, Any]:
    """Give a model's configuration in the terms of Triton's; 0 as the largest batch says that it is not bounded."""
    outputs = [{"name": output, "data_type": "TYPE_FP32", "dims": [-1, 10]} for output in OUTPUTS]
    return {
        "name": name,
        "platform": _PLATFORM,
        "backend": engine,
        "max_batch_size": 0,
        "version_policy": {"specific": {"versions": sorted(versions)}},
        "input": [{"name": "images", "data_type": "TYPE_UINT8", "dims": [-1, 28, 28]}],
        "output": outputs,
    }


def describe_index(models: Mapping[str, Versions], *, only_ready: bool) -> list[dict[str, str]]:
    """List every version with its state, and why it does not answer if it does not.

    A model whose folder cannot be read has an entry without the number of a version.
    """
    unreadable = [
        {"name": name, "version": "", "state": "UNAVAILABLE", "reason": versions.reason}
        for name, versions in models.items()
        if versions.reason is not None and not only_ready
    ]
    return unreadable + [
        {"name": name, "version": str(version.number), "state": _STATES[version.state], "reason": _reason(version)}
        for name, versions in models.items()
        for version in versions
        if version.state == "ready" or not only_ready
    ]


def _reason(version: Version) -> str:
    return version.reason or ("not loaded: newer versions are" if version.state == "not_loaded" else "")


def describe_statistics(statistics: Statistics, versions: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """Give what versions have done in this worker, in the terms of Triton's statistics extension."""
    return {"model_stats": [_describe_tally(statistics, name, version) for name, version in versions]}


def _describe_tally(statistics: Statistics, name: str, version: int) -> dict[str, Any]:
    tally = statistics.get(name, version)
    nothing = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": str(version),
        "last_inference": tally.last_inference,
        "inference_count": tally.images,
        "execution_count": tally.requests,
        "inference_stats": {
            "success": {"count": tally.requests, "ns": tally.nanoseconds},
            "fail": {"count": tally.failures, "ns": tally.failure_nanoseconds},
            "queue": nothing,
            "compute_input": nothing,
            "compute_infer": nothing,
            "compute_output": nothing,
        },
        "batch_stats": [],
    }
