"""All models that are served, kept as the folder has them, and which version of one answers. Knows no HTTP.

What is new is loaded before what it replaces goes, and what goes lasts until the requests that began on it are
answered. All of it is for one event loop; what blocks is done by `loading.py`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from app.errors import BrokenArtefact, NotReady, ServiceError, UnknownLabel, UnknownModel, UnknownVersion
from app.inference.batching import Batcher, Tracer
from app.model_repository.artefact import read_card
from app.model_repository.card import Card
from app.model_repository.control import Action, Command, ModelControl
from app.model_repository.draining import DrainingVersions
from app.model_repository.loader import Loader
from app.model_repository.scan import Scan, list_names, scan
from app.model_repository.shadow import Shadow
from app.model_repository.versions import LABELS, ServedVersion, Version, Versions
from app.observability.metrics import ServiceMetrics
from app.settings import Settings

CONTROL_SECONDS = 30.0
"""How long a request to load or unload may wait. What it began goes on past that."""

_log = structlog.get_logger()


class ModelRepository:
    """All models of one folder, as they were when it was last looked at: first by `open`."""

    def __init__(
        self,
        settings: Settings,
        metrics: ServiceMetrics,
        control: ModelControl,
        *,
        shadow: Shadow | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._settings = settings
        self._tracer = tracer
        self._metrics = metrics
        self._control = control
        self._shadow = shadow
        self._loader = Loader(settings.engine)
        self._refreshing = asyncio.Lock()
        self._models: dict[str, Versions] = {}
        self._commands: Mapping[str, Command] = {}
        self._draining = DrainingVersions(self._loader)
        self._answering: dict[tuple[str, int | str | None], ServedVersion] = {}
        self._unreadable: str | None = f"{settings.models_dir} is still being read. Try again in a second."
        """Why it is not known which models there are, if so; those that were found before are kept."""
        self._controlled: asyncio.Task[None] | None = None
        self._has_refreshed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Find out which models there are."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @property
    def models(self) -> Mapping[str, Versions]:
        """Every model's versions, the newest first."""
        return self._models

    def find(self, name: str, version: int | None = None, label: str | None = None) -> ServedVersion:
        """Find the version that answers: the one of that number, or else of that label, or else the stable one.

        Raises:
            UnknownModel: if there is no such model.
            UnknownVersion: if the model has no such version or label, or does not have it loaded.
            NotReady: if it is still loading, or failed to, or was unloaded.

        """
        served = self._answering.get((name, label if version is None else version))
        if served is None:
            raise self._explain(name, version, label)
        return served

    def _explain(self, name: str, number: int | None, label: str | None) -> ServiceError:
        if name not in self._models:
            return NotReady(self._unreadable) if self._unreadable else UnknownModel(name, list(self._models))
        versions = self._models[name]
        if number is not None and not versions.unloaded and versions.reason is None:
            state = next((version.state for version in versions if version.number == number), "not_loaded")
            if state in ("not_loaded", "unloading"):
                return UnknownVersion(name, number, [version.number for version in versions if version.served])
        if number is None and label is not None and label not in LABELS:
            return UnknownLabel(name, label, list(LABELS))
        return NotReady(versions.why_not_ready(number))

    def served(self) -> Iterator[ServedVersion]:
        """Go through the versions that answer when a request names none, one for each model that has one."""
        for name in self._models:
            if served := self._answering.get((name, None)):
                yield served

    def labels(self, name: str) -> dict[str, int]:
        """Say which version of a model each label stands for; a label that stands for none is left out."""
        found = {label: self._answering.get((name, label)) for label in LABELS}
        return {label: served.card.version for label, served in found.items() if served}

    def missing(self) -> dict[str, str]:
        """Name the required models that cannot answer, and say why."""
        ready = {served.card.name for served in self.served()}
        return {
            name: self._models[name].why_not_ready(None)
            if name in self._models
            else self._unreadable or f"There is no model '{name}' in {self._settings.models_dir}."
            for name in sorted(self._settings.required_models - ready)
        }

    async def cards(self) -> dict[Path, Card]:
        """Read the cards of versions that are not loaded, by their folders; what failed or cannot be read is left out.

        They are not kept: a folder may hold hundreds of versions.

        Raises:
            NotReady: if the disk does not answer.

        """
        directories = [each.directory for each in self._versions() if not each.served and each.state != "failed"]
        return await self._loader.read(partial(_read_cards, directories))

    async def open(self) -> None:
        """Find out which models there are. If the folder cannot be read, there are none until `refresh` finds some."""
        async with self._refreshing:
            with suppress(NotReady):
                await self._scan()

    async def refresh(self) -> None:
        """Look at the folder and the orders, load what is new, then take down what it replaces.

        Raises:
            NotReady: if the folder cannot be read; nothing has changed then.

        """
        try:
            async with self._refreshing:
                await self._refresh()
        finally:
            self._has_refreshed.set()

    async def wait_for_scan(self, *, seconds: float) -> None:
        """Wait until the first look is over, whatever came of it, for at most so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_refreshed.wait(), seconds)

    async def load(self, name: str) -> None:
        """Look at once, and try again what failed before. The other workers follow within a second or two.

        Raises:
            UnknownModel: if there is no such model.
            BrokenArtefact: if its folder or its newest version cannot be served, even if an older one can.
            NotReady: if it has no version that answers, the folder of models cannot be read, or it takes too long.

        """
        await self._control_model(name, "load")
        if reason := self._why_broken(name):
            serving = self._answering.get((name, None))
            rest = f" Version {serving.card.version} answers as before." if serving else ""
            raise BrokenArtefact(reason + rest)
        self.find(name)

    def _why_broken(self, name: str) -> str | None:
        versions = self._models.get(name)
        if versions is None:
            return None
        newest = next(iter(versions), None)
        return versions.reason or (newest.reason if newest else None)

    async def unload(self, name: str) -> None:
        """Take down all versions of a model until it is loaded again. The other workers follow within a second or two.

        Raises:
            UnknownModel: if there is no such model.
            NotReady: if the folder of models cannot be read, or it takes too long.

        """
        await self._control_model(name, "unload")

    async def _control_model(self, name: str, wish: Action) -> None:
        names = await self._loader.read(partial(list_names, self._settings.models_dir))
        if name not in names:
            raise UnknownModel(name, names)
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                await self._refreshing.acquire()
                # A task of its own: were it broken off by the deadline, what is being loaded would be lost.
                self._controlled = asyncio.create_task(self._carry_out(name, wish))
                self._controlled.add_done_callback(_drop_outcome)
                await asyncio.shield(self._controlled)
        except TimeoutError as error:
            message = (
                f"To {wish} model '{name}' takes more than {CONTROL_SECONDS:g} seconds: the disk is slow, or other "
                "models are being loaded. GET /models shows how far it is."
            )
            raise NotReady(message) from error

    async def _carry_out(self, name: str, wish: Action) -> None:
        """Give an order and follow it, then release the lock that whoever calls has acquired."""
        try:
            await self._loader.read(partial(self._control.give, name, wish))
            await self._refresh()
        finally:
            self._refreshing.release()

    async def _scan(self) -> None:
        tried = [version.directory for version in self._versions() if version.fingerprint is not None]
        try:
            found = await self._loader.read(partial(scan, self._settings.models_dir, self._control, tried))
        except NotReady as error:
            self._unreadable = str(error)
            raise
        self._unreadable = None
        self._apply(found)

    async def _refresh(self) -> None:
        await self._scan()
        self._retire_superseded()
        while version := next(iter(self._to_load()), None):
            await self._load(version)
            self._retire_superseded()
        await self._draining.free()

    def _versions(self) -> Iterator[Version]:
        return (version for versions in self._models.values() for version in versions)

    def _apply(self, found: Scan) -> None:
        """Note what has come, changed and gone, and what was ordered."""
        there = {*found.numbers, *found.unreadable}
        for name in sorted({*self._models, *there}):
            self._apply_to(name, found)
        known = sorted(name for name, versions in self._models.items() if versions or name in there)
        self._models = {name: self._models[name] for name in known}
        self._commands = found.control
        for version in self._to_load():
            if not version.served:
                version.state = "waiting"

    def _apply_to(self, name: str, found: Scan) -> None:
        if name not in self._models:
            pinned = self._settings.model_versions.get(name)
            directory = self._settings.models_dir / name
            self._models[name] = Versions(directory, keep=self._settings.keep_versions, pinned=pinned)
        versions = self._models[name]
        for version in versions:
            if version.fingerprint is not None and version.fingerprint != found.fingerprints[version.directory]:
                version.try_again()
        self._note_unreadable(versions, found.unreadable.get(name))
        if versions.reason is None:
            versions.publish(found.numbers.get(name, []))
        order = found.control.get(name)
        versions.unloaded = order is not None and order.wish == "unload"
        if order != self._commands.get(name):
            for version in versions:
                if version.state == "failed":
                    version.try_again()

    def _note_unreadable(self, versions: Versions, reason: str | None) -> None:
        if reason is not None and reason != versions.reason:
            _log.error("model failed", directory=str(versions.directory), reason=reason)
        versions.reason = reason

    def _to_load(self) -> list[Version]:
        """List what ought to be loaded and is not: first what answers for each model, then what stands behind it."""
        placed = [
            (place, version)
            for versions in self._models.values()
            for place, version in enumerate(versions.wanted())
            if version.fingerprint is None
        ]
        return [version for _, version in sorted(placed, key=lambda pair: pair[0])]

    async def _load(self, version: Version) -> None:
        if not version.served:
            version.state = "loading"
        attempt = await self._loader.load(version.directory)
        if isinstance(attempt.outcome, BrokenArtefact):
            version.fail(str(attempt.outcome), attempt.fingerprint)
            _log.error("model failed", directory=str(version.directory), reason=version.reason)
            return
        self._drain(version)  # with the files that these have replaced
        card = attempt.outcome.card
        batcher = Batcher(
            attempt.outcome.engine,
            queue_size=self._settings.queue_size,
            observer=self._metrics,
            tracer=self._tracer,
        )
        if self._shadow is not None and self._shadow.watches(card.name):
            batcher.note = partial(self._shadow.note, card)
        version.serve(ServedVersion(card, batcher), attempt.fingerprint)
        _log.info("model ready", directory=str(version.directory), engine=self._settings.engine)

    def _retire_superseded(self) -> None:
        """Let nothing new reach what has been superseded, and all that is new reach what is there."""
        for versions in self._models.values():
            for version in versions.superseded():
                self._drain(version)
                version.retire()
        self._answering = {
            (name, key): served for name, versions in self._models.items() for key, served in versions.answering()
        }

    def _drain(self, version: Version) -> None:
        if version.served:
            self._draining.add(version.served, freed=partial(self._note_freed, version))

    def _note_freed(self, version: Version) -> None:
        if version.state == "unloading":  # and not loaded again meanwhile
            version.state = "not_loaded"
        for versions in self._models.values():
            versions.tidy()

    async def close(self) -> None:
        """Answer everyone who waits, and take nothing new."""
        if self._controlled is not None:
            self._controlled.cancel()
        await self._loader.close()
        await self._draining.close()
        for version in self._versions():
            if version.served:
                await version.served.batcher.close()


def _drop_outcome(task: asyncio.Task[None]) -> None:
    """Look at what came of a task that nobody may wait for any more: asyncio complains of errors that nobody saw."""
    if not task.cancelled():
        task.exception()


def _read_cards(directories: list[Path]) -> dict[Path, Card]:
    cards = {}
    for directory in directories:
        with suppress(BrokenArtefact):
            cards[directory] = read_card(directory)
    return cards
