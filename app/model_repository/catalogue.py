"""The models and versions that a worker knows, and which loaded version answers a request. Loads nothing.

`repository.py` updates the catalogue after each scan of the folder, and when a version is loaded or unloaded.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from app.errors import (
    FinderUnavailable,
    NotAClassifier,
    NotReady,
    ServiceError,
    UnknownModel,
    UnknownVersion,
    UnknownVersionLabel,
)
from app.model_repository.control import Command
from app.model_repository.scan import Scan
from app.model_repository.versions import VERSION_LABELS, Loaded, LoadedFinder, LoadedVersion, ModelVersions, Version
from app.settings import FINDER, Settings

_log = structlog.get_logger()


class ModelCatalogue:
    """The models of one folder, as the last scan found them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.folder = Path(settings.models_dir)
        """The folder of models on disk."""
        self._models: dict[str, ModelVersions] = {}
        self._commands: Mapping[str, Command] = {}
        self._ready: dict[tuple[str, int | str | None], Loaded] = {}
        self._is_stopping = False
        self.listing_error: str | None = f"{self.folder} is still being read. Try again in a second."
        """Why the folder of models cannot be read; None if it can. The last list stays valid until then."""

    @property
    def models(self) -> Mapping[str, ModelVersions]:
        """The versions of every model, the newest first."""
        return self._models

    def versions(self) -> Iterator[Version]:
        """Iterate over all versions of all models."""
        return (version for versions in self._models.values() for version in versions)

    def find(self, name: str, version: int | None = None, label: str | None = None) -> LoadedVersion:
        """Return the loaded version of a classifier with this number, or with this label, or the default version.

        Raises:
            NotAClassifier: if the model is the finder.
            UnknownModel: if there is no such model.
            UnknownVersion: if the model has no such version or label, or has not loaded it.
            NotReady: if it is still loading, failed to load or was unloaded.

        """
        loaded = self._ready.get((name, label if version is None else version))
        if not isinstance(loaded, LoadedVersion):
            classifiers = [model for model in self._models if model != FINDER]
            if name == FINDER and name in self._models:
                raise NotAClassifier(name, classifiers)
            raise self._error(name, version, label, classifiers)
        return loaded

    def find_any(self, name: str, version: int | None = None, label: str | None = None) -> Loaded:
        """Return the loaded version of a model of any task; raises what `find` does, except NotAClassifier."""
        loaded = self._ready.get((name, label if version is None else version))
        if loaded is None:
            raise self._error(name, version, label, list(self._models))
        return loaded

    def find_finder(self) -> LoadedFinder:
        """Return the default version of the finder.

        Raises:
            FinderUnavailable: if there is none, or it is still loading, failed to load or was unloaded.

        """
        loaded = self._ready.get((FINDER, None))
        if not isinstance(loaded, LoadedFinder):
            reason = self._missing_reason(FINDER)
            advice = "" if FINDER in self._models or self.listing_error else " Train and publish one."
            message = f"Digits cannot be found in pictures now. {reason}{advice}"
            raise FinderUnavailable(message)
        return loaded

    def _error(self, name: str, number: int | None, label: str | None, available: list[str]) -> ServiceError:
        if name not in self._models:
            return NotReady(self.listing_error) if self.listing_error else UnknownModel(name, available)
        versions = self._models[name]
        if number is not None and not versions.is_unloaded and versions.reason is None:
            state = next((version.state for version in versions if version.number == number), "not_loaded")
            if state in ("not_loaded", "unloading"):
                return UnknownVersion(name, number, [version.number for version in versions if version.loaded])
        if number is None and label is not None and label not in VERSION_LABELS:
            return UnknownVersionLabel(name, label, list(VERSION_LABELS))
        return NotReady(versions.not_ready_reason(number))

    def default_version(self, name: str) -> Loaded | None:
        """Return the default version of a model; None if it has none that is ready."""
        return self._ready.get((name, None))

    def default_classifier(self) -> LoadedVersion | None:
        """Return the default version of the model for requests that name none; None if it has none that is ready."""
        loaded = self.default_version(self._settings.default_model)
        return loaded if isinstance(loaded, LoadedVersion) else None

    def default_versions(self) -> Iterator[Loaded]:
        """Iterate over the default versions of all models that have one."""
        for name in self._models:
            if loaded := self.default_version(name):
                yield loaded

    def labels(self, name: str) -> dict[str, int]:
        """Return the version number of each label of a model, without the labels that have no version."""
        by_label = {label: self._ready.get((name, label)) for label in VERSION_LABELS}
        return {label: loaded.card.version for label, loaded in by_label.items() if loaded}

    def report_stopping(self) -> None:
        """Report that the service will stop, so that it is no longer ready. Its models still classify images."""
        self._is_stopping = True

    def not_ready_reasons(self) -> dict[str, str]:
        """Return why required models are not ready, by name, without the models that are ready.

        If the service will stop, the name is `service`.
        """
        if self._is_stopping:
            return {"service": "The service is stopping. Send requests to another instance."}
        ready = {loaded.card.name for loaded in self.default_versions()}
        return {name: self._missing_reason(name) for name in sorted(self._settings.required_models - ready)}

    def _missing_reason(self, name: str) -> str:
        """Say why a model has no version that is ready."""
        if name in self._models:
            return self._models[name].not_ready_reason(None)
        return self.listing_error or f"There is no model '{name}' in {self.folder}."

    def broken_reason(self, name: str) -> str | None:
        """Say why the folder of a model or its newest version cannot be served; None if they can."""
        versions = self._models.get(name)
        if versions is None:
            return None
        newest = next(iter(versions), None)
        return versions.reason or (newest.reason if newest else None)

    def apply(self, scan: Scan) -> None:
        """Record which models, versions and commands have been added, changed or removed."""
        found = {*scan.versions, *scan.listing_errors}
        for name in sorted({*self._models, *found}):
            self._apply_to(name, scan)
        known = sorted(name for name, versions in self._models.items() if versions or name in found)
        self._models = {name: self._models[name] for name in known}
        self._commands = scan.commands
        for version in self.to_load():
            if not version.loaded:
                version.state = "waiting"

    def _apply_to(self, name: str, scan: Scan) -> None:
        if name not in self._models:
            pinned = self._settings.model_versions.get(name)
            directory = self.folder / name
            self._models[name] = ModelVersions(directory, keep=self._settings.keep_versions, pinned=pinned)
        versions = self._models[name]
        for version in versions:
            if version.fingerprint is not None and version.fingerprint != scan.fingerprints[version.directory]:
                version.reset()
        _set_reason(versions, scan.listing_errors.get(name))
        if versions.reason is None:
            versions.update(scan.versions.get(name, []))
        command = scan.commands.get(name)
        versions.is_unloaded = command is not None and command.action == "unload"
        if command != self._commands.get(name):
            for version in versions:
                if version.state == "failed":
                    version.reset()

    def to_load(self) -> list[Version]:
        """List the versions to load: first the default version of each model, those of required models first."""
        ranked = [
            (rank, name not in self._settings.required_models, version)
            for name, versions in self._models.items()
            for rank, version in enumerate(versions.wanted())
            if version.fingerprint is None
        ]
        return [version for *_, version in sorted(ranked, key=lambda each: each[:2])]

    def to_unload(self) -> list[Version]:
        """List the versions to unload."""
        return [version for versions in self._models.values() for version in versions.to_unload()]

    def update_ready(self) -> None:
        """Let `find` return the versions that are loaded now, and no others."""
        self._ready = {
            (name, key): loaded for name, versions in self._models.items() for key, loaded in versions.ready_by_key()
        }

    def prune(self) -> None:
        """Remove the versions that are neither on disk nor in memory."""
        for versions in self._models.values():
            versions.prune()


def _set_reason(versions: ModelVersions, reason: str | None) -> None:
    if reason is not None and reason != versions.reason:
        _log.error("model failed", directory=str(versions.directory), reason=reason)
    versions.reason = reason
