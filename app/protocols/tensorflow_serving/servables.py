"""Which versions a request is about. The errors have the words of TensorFlow Serving."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.errors import MalformedRequest, UnknownModel, UnknownServable, UnknownVersion, UnknownVersionLabel
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import Loaded, LoadedVersion, Version


def find(catalogue: ModelCatalogue, name: str, version: int | None, label: str | None) -> LoadedVersion:
    """Return the loaded version of a classifier.

    Args:
        catalogue: of the models.
        name: of the model.
        version: its number. None and 0, which ovmsclient sends, mean the default version.
        label: of the version, instead of its number.

    Raises:
        MalformedRequest: if there is no such label.
        NotAClassifier: if the model is the finder.
        UnknownServable: if there is no such model, or it has no such version, or has not loaded it.
        NotReady: if it is still loading, failed to load or was unloaded.

    """
    with _worded_as_servable(name, version, label):
        return catalogue.find(name, version or None, label)


def find_any(catalogue: ModelCatalogue, name: str, version: int | None, label: str | None) -> Loaded:
    """Return the loaded version of a model of any task; raises what `find` does, except NotAClassifier."""
    with _worded_as_servable(name, version, label):
        return catalogue.find_any(name, version or None, label)


def list_versions(catalogue: ModelCatalogue, name: str, version: int | None, label: str | None) -> Sequence[Version]:
    """Return the version with a number or a label, or, without both, all versions that are not just on disk.

    Version 0 is the default version; all versions, if none is ready.

    Raises:
        UnknownServable: if there is none.
        MalformedRequest: if there is no such label.

    """
    number = version or None
    if label is not None or (version == 0 and catalogue.default_version(name)):
        number = find_any(catalogue, name, version, label).card.version
    known = catalogue.models.get(name, ())
    versions = [each for each in known if each.number == number or (number is None and each.state != "not_loaded")]
    if not versions:
        raise UnknownServable(name, number, label)
    return versions


@contextmanager
def _worded_as_servable(name: str, version: int | None, label: str | None) -> Iterator[None]:
    """Turn the errors for unknown models, versions and labels into those of TensorFlow Serving."""
    try:
        yield
    except UnknownVersionLabel as error:
        message = f"Unrecognized servable version label: {label}. {error}"
        raise MalformedRequest(message) from error
    except (UnknownModel, UnknownVersion) as error:
        raise UnknownServable(name, version or None, label) from error
