"""Compares manifests with the models of KServe: `python kserve_models.py FILE...` exits with the unknown fields."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from kserve import models
from kubernetes import client

MODELS = {"ServingRuntime": models.V1alpha1ServingRuntime, "InferenceService": models.V1beta1InferenceService}
PRIMITIVES = {"str": str, "int": int, "bool": bool, "float": float, "object": object}


def faults(data: Any, type_: str, path: str) -> Iterator[str]:  # noqa: ANN401 - as YAML has it
    """Yield the fields that a type does not have, and the values of another type.

    Args:
        data: a part of a manifest.
        type_: as the models name it: `str`, `list[V1Container]`, `dict(str, str)`, or the name of a model.
        path: of the data in the manifest.

    """
    if items := re.fullmatch(r"list\[(.+)\]", type_):
        for number, item in enumerate(data):
            yield from faults(item, items[1], f"{path}[{number}]")
    elif values := re.fullmatch(r"dict\(str, (.+)\)", type_):
        for key, value in data.items():
            yield from faults(value, values[1], f"{path}.{key}")
    elif type_ in PRIMITIVES:
        if not isinstance(data, PRIMITIVES[type_]):
            yield f"{path} is {data!r}, not of the type {type_}"
    elif hasattr(models, type_):
        yield from _faults_of_fields(data, getattr(models, type_), path)
    else:
        understood = getattr(client, type_).from_dict(data).model_dump(by_alias=True, exclude_none=True)
        if understood != data:
            yield f"{path} is {data}, which Kubernetes understands as {understood}"


def _faults_of_fields(data: dict[str, Any], model: type, path: str) -> Iterator[str]:
    types = {model.attribute_map[name]: type_ for name, type_ in model.openapi_types.items()}  # type: ignore[attr-defined]
    for name, value in data.items():
        if name in types:
            yield from faults(value, types[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is unknown"


if __name__ == "__main__":
    found: list[str] = []
    for file in map(Path, sys.argv[1:]):
        manifest = yaml.safe_load(file.read_text())
        found += faults(manifest, MODELS[manifest["kind"]].__name__, file.name)
    sys.exit("\n".join(found) or None)
