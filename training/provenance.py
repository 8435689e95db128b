"""What a version is made from: the recipe, the data and the teacher. Knows model cards only.

Two runs with the same provenance and the same code make the same version.
"""

import json
from collections.abc import Sequence
from typing import Any

import imaging
from training.data.mnist import Mnist
from training.data.sources import Source
from training.recipes import TrainingRecipe


def describe_provenance(
    recipe: TrainingRecipe, mnist: Mnist, sources: Sequence[Source] = (), teacher: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the fields of a model card that say what a version is made from. `teacher` is the card of the teacher."""
    also = {"also": [source.as_json() for source in sources]} if sources else {}
    provenance = {
        "training": recipe.as_json(),
        "data": {**mnist.as_json(), **also},
        "preprocessing": imaging.PREPROCESSING_VERSION,
    }
    if teacher:
        provenance["teacher"] = {field: teacher[field] for field in ("name", "version", "files")}
    return provenance


def list_differences(planned: dict[str, Any], served: dict[str, Any]) -> list[str]:
    """Name what differs between the provenance of a run and that of the served version.

    If nothing does, the run would only repeat the one that made the served version.

    Args:
        planned: The provenance of a run.
        served: The model card of the served version.

    """
    differences = _changed_settings(planned["training"], served["training"])
    if any(planned["data"][field] != served["data"][field] for field in ("files", "split")):
        differences.append("MNIST")
    if _source_digests(planned) != _source_digests(served):
        differences.append("--also")
    if has_other_preprocessing(planned, served):
        differences.append("preprocessing")
    if (planned.get("teacher") or {}).get("files") != (served.get("teacher") or {}).get("files"):
        differences.append("teacher")
    return differences


def _changed_settings(planned: dict[str, Any], served: dict[str, Any]) -> list[str]:
    """Name the settings that differ. A version that lacks a setting was made before there was one."""
    settings = json.loads(json.dumps(planned))
    return [name for name, value in settings.items() if (value != served[name] if name in served else value)]


def has_other_preprocessing(planned: dict[str, Any], served: dict[str, Any]) -> bool:
    """Return whether training images are preprocessed by another version of `imaging`.

    MNIST's images are not preprocessed. So the version counts only with synthetic images or other sources.
    """
    recipe = planned["training"]
    is_used = recipe.get("drawn_digits") or recipe.get("drawn_no_digits") or _source_digests(planned)
    return bool(is_used) and planned["preprocessing"] != served["preprocessing"]


def _source_digests(card: dict[str, Any]) -> list[str]:
    return sorted(source["sha256"] for source in card["data"].get("also") or ())
