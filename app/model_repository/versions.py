"""The versions of one model: their states, which of them to load, and which of them answer. Reads no files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.inference.batching import Batcher
from app.inference.finder_engine import FinderMaps, FinderRunner, Pictures
from app.model_repository.artefact import Fingerprint
from app.model_repository.card import AnyCard, Card, FinderCard
from app.model_repository.signatures import Signatures
from app.schemas import State

STABLE: Literal["stable"] = "stable"
LATEST: Literal["latest"] = "latest"
VERSION_LABELS = (STABLE, LATEST)
"""`stable` is the default version, which is used for requests that name no version: the pinned version, or else the
newest that is ready. `latest` is the newest version that is ready, even if another one is pinned."""


@dataclass(frozen=True)
class LoadedVersion:
    """A version of a classifier in memory.

    A request holds a reference until it is answered; without references the version is freed.
    """

    card: Card
    batcher: Batcher
    signatures: Signatures = field(default_factory=dict, compare=False, repr=False)

    @property
    def engine_queue(self) -> Batcher:
        """What has to be closed before the engine is freed."""
        return self.batcher


@dataclass(frozen=True)
class LoadedFinder:
    """A version of the finder in memory. A request holds a reference to it, as to a `LoadedVersion`."""

    card: FinderCard
    runner: FinderRunner
    signatures: Signatures = field(default_factory=dict, compare=False, repr=False)

    @property
    def engine_queue(self) -> FinderRunner:
        """What has to be closed before the engine is freed."""
        return self.runner

    async def run(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of uint8 pictures of shape (n, 192, 192, 3), RGB, computed in a thread.

        Raises:
            FinderUnavailable: if the finder has been closed.
            Exception: whatever the engine raised.

        """
        return await self.runner.run(pictures)

    def run_blocking(self, pictures: Pictures) -> FinderMaps:
        """Return what `run` returns, computed in the calling thread, which must not be the event loop's."""
        return self.runner.run_blocking(pictures)


Loaded = LoadedVersion | LoadedFinder


@dataclass(eq=False)
class Version:
    """A version and its state."""

    number: int
    directory: Path
    state: State = "not_loaded"
    reason: str | None = None  # why its files cannot be served; if earlier files are loaded, the state is still `ready`
    loaded: Loaded | None = field(default=None, repr=False)  # if the state is `ready`
    fingerprint: Fingerprint | None = None  # of the files of the last attempt to load it; None before an attempt
    on_disk: bool = True

    @property
    def card(self) -> AnyCard | None:
        """Its card, if it is ready."""
        return self.loaded.card if self.loaded else None

    def reset(self) -> None:
        """Forget the last attempt to load it, so that it is loaded again."""
        self.fingerprint = None
        if self.state == "failed":
            self.state, self.reason = "not_loaded", None

    def mark_ready(self, loaded: Loaded, fingerprint: Fingerprint) -> None:
        """Record that its files have been loaded."""
        self.state, self.reason, self.loaded, self.fingerprint = "ready", None, loaded, fingerprint

    def mark_failed(self, reason: str, fingerprint: Fingerprint) -> None:
        """Record that its files cannot be served. If earlier files are loaded, these keep answering."""
        self.reason, self.fingerprint = reason, fingerprint
        if self.loaded is None:
            self.state = "failed"

    def mark_unloading(self) -> None:
        """Drop the loaded version, which requests may still use."""
        self.state, self.reason, self.loaded, self.fingerprint = "unloading", None, None, None


class ModelVersions(Sequence[Version]):
    """The versions of one model, the newest first."""

    def __init__(self, directory: Path, *, keep: int, pinned: int | None) -> None:
        self.directory = directory
        self._keep = keep
        self.pinned = pinned
        """The number of the default version; None for the newest that is ready."""
        self.is_unloaded = False
        """Whether a request has unloaded the model."""
        self.reason: str | None = None
        """Why the versions on disk cannot be listed; None if they can. The last list stays valid until then."""
        self._versions: list[Version] = []

    def __getitem__(self, index: int) -> Version:  # type: ignore[override]  # nobody takes slices of it
        """Return one version, counted from the newest."""
        return self._versions[index]

    def __len__(self) -> int:
        """Return the number of versions."""
        return len(self._versions)

    def update(self, numbers: Sequence[int]) -> None:
        """Record which versions are on disk. A version that is not stays listed for as long as it is in memory."""
        known = {version.number: version for version in self._versions}
        for number in numbers:
            known.setdefault(number, Version(number, self.directory / str(number)))
        for version in known.values():
            version.on_disk = version.number in numbers
        self._versions = [known[number] for number in sorted(known, reverse=True)]
        self.prune()

    def prune(self) -> None:
        """Remove the versions that are neither on disk nor in memory."""
        self._versions = [
            version for version in self._versions if version.on_disk or version.state in ("ready", "unloading")
        ]

    def wanted(self) -> list[Version]:
        """Return the versions that should be in memory: the pinned one, and the newest that have not failed."""
        if self.is_unloaded:
            return []
        usable = [version for version in self._versions if version.on_disk and version.state != "failed"]
        kept = [version for rank, version in enumerate(usable) if rank < self._keep or version.number == self.pinned]
        return sorted(kept, key=lambda version: version.number != self.pinned)

    def to_unload(self) -> list[Version]:
        """Return the loaded versions that are not wanted: none until all wanted versions are loaded."""
        wanted = self.wanted()
        if not all(version.loaded for version in wanted):
            return []
        return [version for version in self._versions if version.loaded and version not in wanted]

    def ready_by_key(self) -> Iterator[tuple[int | str | None, Loaded]]:
        """Yield the loaded versions by number, by label, and by None for requests that name neither."""
        ready = [(version, version.loaded) for version in self._versions if version.loaded]
        yield from ((version.number, loaded) for version, loaded in ready)
        # A version that was removed from disk is the newest only if there is no other.
        newest = next((loaded for version, loaded in ready if version.on_disk), ready[0][1] if ready else None)
        if newest:
            yield LATEST, newest
        stable = next((loaded for version, loaded in ready if version.number == self.pinned), None)
        if self.pinned is None:
            stable = newest
        if stable:
            yield STABLE, stable
            yield None, stable

    def not_ready_reason(self, number: int | None) -> str:
        """Say why the version `number`, or the default version for None, is not ready."""
        name, number = self.directory.name, number or self.pinned
        if self.is_unloaded:
            return f"Model '{name}' has been unloaded. Load it again first."
        candidates = [version for version in self._versions if number in (None, version.number)]
        if self.reason is not None and not candidates:
            return f"Model '{name}' cannot answer. {self.reason}"
        if any(version.state in ("waiting", "loading") for version in candidates):
            return f"Model '{name}' is still loading. Try again in a second."
        if number is not None and not candidates:
            on_disk = ", ".join(str(version.number) for version in self._versions) or "none"
            return f"Model '{name}' is pinned to version {number}, which it does not have. Versions on disk: {on_disk}."
        reasons = " ".join(version.reason or "" for version in candidates).strip()
        return f"Model '{name}' cannot answer. {reasons or 'It has no version. Train and publish one.'}"
