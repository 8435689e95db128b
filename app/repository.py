"""The models that are served: which versions there are, in what state, and which one answers. Knows no HTTP.

Loading blocks and is done in a thread; everything else is for the event loop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.artefact import find_names, find_versions, read_card, verify
from app.batching import Batcher
from app.card import Card
from app.engine import load_engine, warm
from app.errors import BrokenArtefact, NotReady, UnknownModel, UnknownVersion
from app.schemas import State
from app.settings import Settings
from app.telemetry import Telemetry

_log = structlog.get_logger()


@dataclass(frozen=True)
class ServedVersion:
    """A version that answers."""

    card: Card
    batcher: Batcher


@dataclass(eq=False)
class Version:
    """A version, in whatever state it is."""

    number: int
    directory: Path
    state: State
    reason: str | None = None  # why it failed
    card: Card | None = None
    served: ServedVersion | None = field(default=None, repr=False)  # if it is ready


class Repository:
    """All models of one folder, as they were when it was opened."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._models = {name: self._open(settings.models_dir / name) for name in find_names(settings.models_dir)}

    def _open(self, directory: Path) -> list[Version]:
        kept = self._settings.keep_versions
        return [
            Version(number, directory / str(number), "loading" if place < kept else "not_loaded")
            for place, number in enumerate(find_versions(directory))
        ]

    @property
    def models(self) -> Mapping[str, list[Version]]:
        """Every model's versions, the newest first."""
        return self._models

    def load(self) -> None:
        """Read every card, then load and warm the newest versions; one that is broken harms no other."""
        for version in (version for versions in self._models.values() for version in versions):
            try:
                self._load(version)
            except BrokenArtefact as error:
                version.state, version.reason = "failed", str(error)
                _log.error("model failed", directory=str(version.directory), reason=version.reason)

    def _load(self, version: Version) -> None:
        version.card = read_card(version.directory)
        if version.state != "loading":
            return
        verify(version.directory, version.card)
        engine = load_engine(self._settings.engine, version.directory)
        warm(engine)
        batcher = Batcher(engine, queue_size=self._settings.queue_size, observer=self._telemetry)
        version.served = ServedVersion(version.card, batcher)
        version.state = "ready"
        self._telemetry.serves(version.card.name, version.number, version.card.test.accuracy)
        _log.info("model ready", directory=str(version.directory), engine=self._settings.engine)

    def find(self, name: str, number: int | None = None) -> ServedVersion:
        """Find the version that answers: the one asked for, or else the newest that is ready.

        Raises:
            UnknownModel: if there is no such model.
            UnknownVersion: if the model has no such version, or has it no longer loaded.
            NotReady: if it is still loading, or failed to.

        """
        if name not in self._models:
            raise UnknownModel(name, list(self._models))
        versions = self._models[name]
        asked = [version for version in versions if number in (None, version.number) and version.state != "not_loaded"]
        if number is not None and not asked:
            raise UnknownVersion(name, number, [version.number for version in versions if version.served])
        for version in asked:
            if version.served:
                return version.served
        raise NotReady(self._why_not_ready(name, asked))

    @staticmethod
    def _why_not_ready(name: str, versions: list[Version]) -> str:
        if any(version.state == "loading" for version in versions):
            return f"Model '{name}' is still loading. Try again in a second."
        reasons = " ".join(version.reason or "" for version in versions) or "It has no version. Train and publish one."
        return f"Model '{name}' cannot answer. {reasons}"

    def served(self) -> Iterator[ServedVersion]:
        """Go through the versions that answer when a request names none, one for each model that has one."""
        for versions in self._models.values():
            ready = (version.served for version in versions if version.served)
            if newest := next(ready, None):
                yield newest

    def missing(self) -> dict[str, str]:
        """Name the required models that cannot answer, and say why."""
        ready = {served.card.name for served in self.served()}
        return {
            name: self._why_not_ready(name, self._models[name])
            if name in self._models
            else f"There is no model '{name}' in {self._settings.models_dir}."
            for name in sorted(self._settings.required_models - ready)
        }

    async def close(self) -> None:
        """Answer everyone who waits, and take nothing new."""
        for versions in self._models.values():
            for version in versions:
                if version.served:
                    await version.served.batcher.close()
