"""Loads and unloads versions so that they match the folder of models and the commands. Knows no HTTP.

New versions are loaded before the versions that they replace are unloaded, and a version is freed when the requests
that use it have been answered. All methods are for one event loop; `loader.py` makes the calls that block.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import structlog

from app.errors import BrokenArtefact, NotReady, ServiceError, UnknownModel
from app.inference.batching import Batcher, BatchTracer
from app.inference.finder_engine import FinderRunner
from app.model_repository.artefact import read_card
from app.model_repository.card import AnyCard
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.control import Action, ModelControl
from app.model_repository.draining import DrainingVersions
from app.model_repository.loader import Loader, VerifiedEngine, VerifiedFinder
from app.model_repository.scan import list_models, scan
from app.model_repository.shadow import Shadow
from app.model_repository.versions import Loaded, LoadedFinder, LoadedVersion, Version
from app.observability.metrics import ServiceMetrics
from app.settings import Settings

if TYPE_CHECKING:
    from app.model_repository.mirror import ModelMirror

COMMAND_SECONDS = 30.0
"""How long a request to load or unload may wait. The command itself is carried out even if it takes longer."""
FOLLOW_SECONDS = 8.0
"""How long it may then wait for the other workers, which carry out the command at the same time."""

_GERUNDS: Mapping[Action, str] = {"load": "Loading", "unload": "Unloading"}

_log = structlog.get_logger()


class ModelRepository:
    """Loads and unloads the models of one folder, by `refresh` and by command."""

    def __init__(  # noqa: PLR0913 - each is a part of the service that a test can replace
        self,
        settings: Settings,
        metrics: ServiceMetrics,
        control: ModelControl,
        *,
        mirror: "ModelMirror | None" = None,
        shadow: Shadow | None = None,
        tracer: BatchTracer | None = None,
    ) -> None:
        """Prepare to serve the folder `MODELS_DIR` of the settings, which is that of the mirror if there is one."""
        self._settings = settings
        self._mirror = mirror
        self._tracer = tracer
        self._metrics = metrics
        self._control = control
        self._shadow = shadow
        self.catalogue = ModelCatalogue(settings)
        """The models and versions as the last scan found them."""
        self._loader = Loader(settings.engine)
        self._draining = DrainingVersions(self._loader)
        self._refresh_lock = asyncio.Lock()
        self._has_refreshed = asyncio.Event()
        self._command_task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        """Scan the folder."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Scan the folder. If it cannot be read, the catalogue stays empty until `refresh` succeeds."""
        async with self._refresh_lock:
            with suppress(NotReady):
                await self._scan()

    async def refresh(self) -> None:
        """Scan the folder and the commands, load new versions, then unload those that they replace.

        Raises:
            NotReady: if the folder cannot be read; nothing has changed then.

        """
        try:
            async with self._refresh_lock:
                await self._refresh()
        finally:
            self._has_refreshed.set()

    async def wait_for_first_refresh(self, *, seconds: float) -> None:
        """Wait until the first refresh has succeeded or failed, for at most `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_refreshed.wait(), seconds)

    async def read_cards(self) -> Mapping[Path, AnyCard]:
        """Read the cards of the versions that are not loaded, by folder, without failed versions and broken cards.

        They are not cached: a folder may have hundreds of versions.

        Raises:
            NotReady: if the disk does not answer.

        """
        versions = self.catalogue.versions()
        directories = [version.directory for version in versions if not version.loaded and version.state != "failed"]
        return await self._loader.run_in_reader_thread(partial(_read_cards, directories))

    async def load(self, name: str) -> None:
        """Scan now, and load the model in all workers, including versions that failed before.

        Raises:
            UnknownModel: if there is no such model.
            BrokenArtefact: if its folder or its newest version cannot be served, even if an older version can.
            NotReady: if none of its versions can be loaded, the folder of models cannot be read, it takes too long, or
                another worker cannot load it or does not answer.

        """
        others = await self._command(name, "load")
        try:
            if reason := self.catalogue.broken_reason(name):
                default = self.catalogue.default_version(name)
                rest = f" Version {default.card.version} answers as before." if default else ""
                raise BrokenArtefact(reason + rest)
            self.catalogue.find_any(name)
        except ServiceError:
            others.cancel()
            raise
        await _wait_for(others, f"Model '{name}' is loaded in this worker.")

    async def unload(self, name: str) -> None:
        """Unload all versions of a model in all workers, until it is loaded again.

        Raises:
            UnknownModel: if there is no such model.
            NotReady: if the folder of models cannot be read, it takes too long, or another worker does not answer.

        """
        await _wait_for(await self._command(name, "unload"), f"Model '{name}' is unloaded in this worker.")

    async def follow(self, name: str) -> str | None:
        """Carry out the commands of the other workers; return why a model cannot be loaded here, None if it can."""
        await self.refresh()
        versions = self.catalogue.models.get(name)
        if versions is None or versions.is_unloaded:
            return None
        is_ready = self.catalogue.default_version(name) is not None
        return self.catalogue.broken_reason(name) or (None if is_ready else versions.not_ready_reason(None))

    async def _command(self, name: str, action: Action) -> asyncio.Task[list[str]]:
        """Issue a command and carry it out; return the task that waits for the other workers."""
        if self._mirror is not None:
            await self._mirror.update()
        names = await self._loader.run_in_reader_thread(partial(list_models, self.catalogue.folder))
        if name not in names:
            raise UnknownModel(name, names)
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                await self._refresh_lock.acquire()
                # A task of its own, which the timeout does not cancel: that would waste what has been loaded so far.
                self._command_task = asyncio.create_task(self._execute(name, action))
                self._command_task.add_done_callback(_retrieve_exception)
                return await asyncio.shield(self._command_task)
        except TimeoutError as error:
            message = (
                f"{_GERUNDS[action]} model '{name}' takes more than {COMMAND_SECONDS:g} seconds: the disk is slow, or "
                "other models are being loaded. GET /models shows the state of each version."
            )
            raise NotReady(message) from error

    async def _execute(self, name: str, action: Action) -> asyncio.Task[list[str]]:
        """Issue a command and carry it out, then release the lock that the caller has acquired."""
        try:
            await self._loader.run_in_reader_thread(partial(self._control.issue, name, action))
            others = asyncio.create_task(self._control.ask_other_workers(name))
            await self._refresh()
        finally:
            self._refresh_lock.release()
        return others

    async def _refresh(self) -> None:
        await self._scan()
        self._unload_unwanted()
        while version := next(iter(self.catalogue.to_load()), None):
            await self._load(version)
            self._unload_unwanted()
        await self._draining.free_unused()

    async def _scan(self) -> None:
        tried = [version.directory for version in self.catalogue.versions() if version.fingerprint is not None]
        try:
            found = await self._loader.run_in_reader_thread(partial(scan, self.catalogue.folder, self._control, tried))
        except NotReady as error:
            self.catalogue.listing_error = str(error)
            raise
        self.catalogue.listing_error = self._mirror.error if self._mirror is not None else None
        self.catalogue.apply(found)

    async def _load(self, version: Version) -> None:
        if not version.loaded:
            version.state = "loading"
        attempt = await self._loader.load(version.directory)
        if isinstance(attempt.outcome, BrokenArtefact):
            version.mark_failed(str(attempt.outcome), attempt.fingerprint)
            _log.error("model failed", directory=str(version.directory), reason=version.reason)
            return
        self._drain(version)  # if earlier files of this version are loaded
        version.mark_ready(self._loaded(attempt.outcome), attempt.fingerprint)
        _log.info("model ready", directory=str(version.directory), engine=self._settings.engine)

    def _loaded(self, verified: VerifiedEngine | VerifiedFinder) -> Loaded:
        if isinstance(verified, VerifiedFinder):
            return LoadedFinder(verified.card, FinderRunner(verified.engine), verified.signatures)
        batcher = Batcher(
            verified.engine,
            queue_size=self._settings.queue_size,
            observer=self._metrics,
            tracer=self._tracer,
        )
        if self._shadow is not None and self._shadow.compares(verified.card.name):
            batcher.on_scored = partial(self._shadow.submit, verified.card)
        return LoadedVersion(verified.card, batcher, verified.signatures)

    def _unload_unwanted(self) -> None:
        """Stop using the versions to unload for new requests, and drain them."""
        for version in self.catalogue.to_unload():
            self._drain(version)
            version.mark_unloading()
        self.catalogue.update_ready()

    def _drain(self, version: Version) -> None:
        if version.loaded:
            self._draining.add(version.loaded, on_freed=partial(self._on_freed, version))

    def _on_freed(self, version: Version) -> None:
        if version.state == "unloading":  # and not loaded again meanwhile
            version.state = "not_loaded"
        self.catalogue.prune()

    async def close(self) -> None:
        """Answer what is queued, refuse new images and pictures, and stop the threads."""
        if self._command_task is not None:
            self._command_task.cancel()
        await self._loader.close()
        await self._draining.close()
        for version in self.catalogue.versions():
            if version.loaded:
                await version.loaded.engine_queue.close()


async def _wait_for(others: asyncio.Task[list[str]], done: str) -> None:
    """Wait until the other workers have followed a command.

    Raises:
        NotReady: if one of them cannot follow, or does not answer in time.

    """
    try:
        async with asyncio.timeout(FOLLOW_SECONDS):
            reasons = await others
    except TimeoutError as error:
        message = (
            f"{done} Another worker has not followed within {FOLLOW_SECONDS:g} seconds. It will as soon as it can. "
            "Send the request again to wait for it."
        )
        raise NotReady(message) from error
    if reasons:
        message = f"{done} Another worker cannot follow: {reasons[0]}"
        raise NotReady(message)


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a task that may have no waiter: asyncio logs exceptions that nobody retrieved."""
    if not task.cancelled():
        task.exception()


def _read_cards(directories: list[Path]) -> dict[Path, AnyCard]:
    cards = {}
    for directory in directories:
        with suppress(BrokenArtefact):
            cards[directory] = read_card(directory)
    return cards
