"""Which models and versions a request is about, and whether they are ready."""

from app.errors import MalformedRequest
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import LATEST, Loaded, LoadedVersion

_NEWEST = "-1"
"""The version that means the newest one, as clients of Triton send it."""
_MAX_BATCH_SIZE = 1024
"""What the configuration says. A request may have more images, if its body is short enough."""
_BYTES_OF_IMAGE_IN_JSON = 8 * 28 * 28


def find(catalogue: ModelCatalogue, name: str, version: str) -> LoadedVersion:
    """Return the loaded version of a classifier.

    Args:
        catalogue: of the models.
        name: of the model.
        version: its number, -1 for the newest, or empty for the default version.

    Raises:
        MalformedRequest: if the version is neither.
        NotAClassifier: if the model is the finder.
        UnknownModel: if there is no such model, whatever its version is.
        UnknownVersion: if the model has no such version, or has not loaded it.
        NotReady: if it is still loading, failed to load or was unloaded.

    """
    return catalogue.find(name, *_parse_version(catalogue, name, version))


def find_any(catalogue: ModelCatalogue, name: str, version: str) -> Loaded:
    """Return the loaded version of a model of any task; raises what `find` does, except NotAClassifier."""
    return catalogue.find_any(name, *_parse_version(catalogue, name, version))


def _parse_version(catalogue: ModelCatalogue, name: str, version: str) -> tuple[int | None, str | None]:
    """Return the number and the label of a version."""
    if version in ("", _NEWEST):
        return None, LATEST if version else None
    if name not in catalogue.models:
        catalogue.find_any(name)
    if not (version.isascii() and version.isdecimal()) or len(version) > 18 or int(version) < 1:
        message = f"The version is '{version[:40]}'. Expected a whole number, 1 or more, or -1 for the newest version."
        raise MalformedRequest(message)
    return int(version), None


def is_ready(catalogue: ModelCatalogue) -> bool:
    """Tell whether every required model is ready, but for those that were unloaded."""
    unloaded = {name for name, versions in catalogue.models.items() if versions.is_unloaded}
    return not catalogue.not_ready_reasons().keys() - unloaded


def ready_versions(catalogue: ModelCatalogue, loaded: Loaded, version: str) -> list[int]:
    """List the version that was asked for and found, or all versions of its model that are ready, if none was."""
    if version:
        return [loaded.card.version]
    return [each.number for each in catalogue.models[loaded.card.name] if each.state == "ready"]


def all_ready_versions(catalogue: ModelCatalogue) -> list[tuple[str, int]]:
    """List the names and numbers of the versions of all models that are ready."""
    return [
        (name, version.number)
        for name, versions in catalogue.models.items()
        for version in versions
        if version.state == "ready"
    ]


def max_batch_size(max_body_bytes: int) -> int:
    """Return how many images clients should send in one request, if its body may have so many bytes."""
    return max(1, min(_MAX_BATCH_SIZE, max_body_bytes // _BYTES_OF_IMAGE_IN_JSON))
