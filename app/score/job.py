"""What a run is to do, and which published versions answer. Loads no models."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import imaging
from app.errors import BrokenArtefact, NotAClassifier, UnknownModel, UnknownVersion
from app.model_repository.artefact import find_models, find_versions, read_card
from app.model_repository.card import Card
from app.settings import FINDER, Settings


@dataclass(frozen=True)
class Job:
    """A run, as every process of it knows it."""

    source: str
    """The path or URL of the pictures."""
    out: str
    """The path or URL of the table."""
    settings: Settings
    """Those of the service. Its limits apply to each picture."""
    model: str
    version: int
    versions: dict[str, int]
    """All models that answer, with their versions: also the finder, and the default model if its energies stand in."""
    read: bool = False
    """Whether all digits of each picture are read, as `/read` does, and not one as `/predict` does."""
    column: str | None = None
    """Of a Parquet file, with the pictures."""

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the rows depend on, besides the pictures. The models have to be in a folder."""
        return {
            "source": self.source,
            "column": self.column,
            "read": self.read,
            "model": self.model,
            "versions": {f"{name}/{version}": self._digest(name, version) for name, version in self.versions.items()},
            "engine": self.settings.engine,
            "max_pixels": self.settings.max_pixels,
            "max_body_bytes": self.settings.max_body_bytes,
            "digitserve": imaging.__version__,
            "preprocessing": imaging.PREPROCESSING_VERSION,
        }

    def _digest(self, name: str, version: int) -> str:
        """Return the beginning of the digest of a model card, which has the digests of the other files."""
        card = Path(self.settings.models_dir) / name / str(version) / "model.json"
        return hashlib.sha256(card.read_bytes()).hexdigest()[:16]


def choose_versions(settings: Settings, model: str, version: int | None) -> dict[str, int]:
    """Return the versions that answer: those that a service with these settings would take.

    Args:
        settings: of the service, with the models in a folder.
        model: the classifier.
        version: of the classifier; None for the pinned or else the newest.

    Raises:
        UnknownModel: if there is no such model.
        UnknownVersion: if the model has no such version.
        NotAClassifier: if the model is the finder.
        BrokenArtefact: if its card cannot be read.

    """
    available = find_models(Path(settings.models_dir))
    classifiers = [name for name in available if name != FINDER]
    if model == FINDER:
        raise NotAClassifier(model, classifiers)
    if model not in available:
        raise UnknownModel(model, classifiers)
    chosen = {model: _choose_version(settings, model, version)}
    card = read_card(Path(settings.models_dir) / model / str(chosen[model]))
    needs_energies = isinstance(card, Card) and card.abstention.energy is None
    others = [settings.default_model] if needs_energies else []
    for name in (*others, FINDER):
        if name in available and name not in chosen:
            chosen[name] = _choose_version(settings, name, None)
    return chosen


def _choose_version(settings: Settings, name: str, version: int | None) -> int:
    directory = Path(settings.models_dir) / name
    versions = find_versions(directory)
    version = version or settings.model_versions.get(name)
    if version is None and not versions:
        message = f"{directory} has no version. Train and publish one."
        raise BrokenArtefact(message)
    if version is not None and version not in versions:
        raise UnknownVersion(name, version, versions)
    return versions[0] if version is None else version
