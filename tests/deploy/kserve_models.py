"""Reads manifests with the models of KServe: `python kserve_models.py FILE...` fails if a field is unknown."""

import sys
from pathlib import Path
from typing import Any

import yaml
from kserve import V1alpha1ServingRuntime, V1beta1InferenceService
from kubernetes.client import ApiClient

MODELS = {"ServingRuntime": V1alpha1ServingRuntime, "InferenceService": V1beta1InferenceService}


class Response:
    """What the client deserialises."""

    def __init__(self, data: str) -> None:
        self.data = data


def check(client: ApiClient, path: Path) -> None:
    """Read a manifest into its model, write it again, and compare."""
    manifest: dict[str, Any] = yaml.safe_load(path.read_text())
    model = client._ApiClient__deserialize(manifest, MODELS[manifest["kind"]])
    written = client.sanitize_for_serialization(model)
    assert written == manifest, f"{path}: KServe understood {written}"


if __name__ == "__main__":
    with ApiClient() as api_client:
        import kserve.models

        for name in dir(kserve.models):  # the client looks its own models up by their names
            setattr(sys.modules["kubernetes.client.models"], name, getattr(kserve.models, name))
        for argument in sys.argv[1:]:
            check(api_client, Path(argument))
