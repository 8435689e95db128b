"""Describes the service, its models and their statistics, in the format of the protocol and of Triton's extensions."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.inference.finder_engine import MAP_SIDE, PICTURE_SIDE
from app.model_repository.versions import ModelVersions, Version
from app.observability.statistics import Duration, Statistics, VersionStatistics
from app.protocols.open_inference.requests import OUTPUTS
from app.settings import FINDER
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
_LABELS = "digits.txt"
"""Tells clients that the classes have labels. There is no such file: the label of a class is its digit."""
_NOTHING = {"count": 0, "ns": 0}
_STATES: Mapping[str, str] = {
    "waiting": "LOADING",
    "loading": "LOADING",
    "ready": "READY",
    "unloading": "UNLOADING",
    "failed": "UNAVAILABLE",
    "not_loaded": "UNAVAILABLE",
}


class _Signature(NamedTuple):
    """The tensors of a model: one input of type UINT8, and outputs of type FP32."""

    input: str
    input_shape: list[int]
    outputs: tuple[str, ...]
    output_shape: list[int]
    parameters: Mapping[str, str]


_CLASSIFIER = _Signature(
    "images",
    [-1, 28, 28],
    OUTPUTS,
    [-1, 10],
    {
        "images_datatypes": "UINT8: ink 0 to 255, white on black; FP32: ink 0.0 to 1.0, rounded to 256 steps",
        "picture_input": "image: BYTES [-1], picture files instead of images; in base64 if sent as JSON",
    },
)
_FINDER = _Signature(
    "pictures",
    [-1, PICTURE_SIDE, PICTURE_SIDE, 3],
    ("ink", "cores"),
    [-1, MAP_SIDE, MAP_SIDE],
    {"inference": "not available: only the service itself runs this model"},
)


def describe_server() -> dict[str, Any]:
    """Return the name of the service and the extensions that it supports."""
    return {"name": "digitserve", "version": __version__, "extensions": _EXTENSIONS}


def describe_model(name: str, versions: Iterable[int]) -> dict[str, Any]:
    """Return the inputs and outputs of a model, and its versions."""
    signature = _signature_of(name)
    return {
        "name": name,
        "versions": list(map(str, sorted(versions))),
        "platform": _PLATFORM,
        "inputs": [{"name": signature.input, "datatype": "UINT8", "shape": signature.input_shape}],
        "outputs": [
            {"name": output, "datatype": "FP32", "shape": signature.output_shape} for output in signature.outputs
        ],
        "parameters": signature.parameters,
    }


def describe_configuration(name: str, *, engine: str, versions: Iterable[int], max_batch_size: int) -> dict[str, Any]:
    """Return the configuration of a model in Triton's format.

    With a `max_batch_size`, `dims` are the shape of one image. The finder, to which no request can send a batch, has 0.
    """
    signature = _signature_of(name)
    first, labels = (0, {}) if name == FINDER else (1, {"label_filename": _LABELS})
    return {
        "name": name,
        "platform": _PLATFORM,
        "backend": engine,
        "version_policy": {"specific": {"versions": sorted(versions)}},
        "max_batch_size": 0 if name == FINDER else max_batch_size,
        "input": [{"name": signature.input, "data_type": "TYPE_UINT8", "dims": signature.input_shape[first:]}],
        "output": [
            {"name": output, "data_type": "TYPE_FP32", "dims": signature.output_shape[first:], **labels}
            for output in signature.outputs
        ],
        "dynamic_batching": {},
    }


def _signature_of(name: str) -> _Signature:
    return _FINDER if name == FINDER else _CLASSIFIER


def describe_index(models: Mapping[str, ModelVersions], *, only_ready: bool) -> list[dict[str, str]]:
    """List every version with its state, and the reason if it is not ready.

    A model whose folder cannot be read has an entry with an empty version.
    """
    unreadable = [
        {"name": name, "version": "", "state": "UNAVAILABLE", "reason": versions.reason}
        for name, versions in models.items()
        if versions.reason is not None and not only_ready
    ]
    return unreadable + [
        {
            "name": name,
            "version": str(version.number),
            "state": _STATES[version.state],
            "reason": _reason(versions, version),
        }
        for name, versions in models.items()
        for version in versions
        if version.state == "ready" or not only_ready
    ]


def _reason(model: ModelVersions, version: Version) -> str:
    if version.state != "not_loaded" or version.reason:
        return version.reason or ""
    return "The model has been unloaded." if model.is_unloaded else "A newer version is loaded."


def describe_statistics(statistics: Statistics, versions: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """Return the statistics of versions, in the format of Triton's statistics extension."""
    return {"model_stats": [_describe_version(statistics.get(*version), *version) for version in versions]}


def _describe_version(counts: VersionStatistics, name: str, version: int) -> dict[str, Any]:
    return {
        "name": name,
        "version": str(version),
        "last_inference": counts.last_inference,
        "inference_count": counts.images,
        "execution_count": counts.executions,
        "inference_stats": {**_describe_durations(counts.stages), "cache_hit": _NOTHING, "cache_miss": _NOTHING},
        "response_stats": {},  # of models that send several responses to a request
        "batch_stats": [
            {"batch_size": size, **_describe_durations(stages)} for size, stages in counts.batch_sizes.items()
        ],
        "memory_usage": [],  # which Triton measures of GPUs
    }


def _describe_durations(durations: Mapping[str, Duration]) -> dict[str, dict[str, int]]:
    return {stage: {"count": duration.count, "ns": duration.nanoseconds} for stage, duration in durations.items()}
