"""The versions of one model: which are wanted in memory, and which one answers. Loads nothing, and knows no disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.inference.batching import Batcher
from app.model_repository.artefact import Fingerprint
from app.model_repository.card import Card
from app.schemas import State

STABLE: Literal["stable"] = "stable"
LATEST: Literal["latest"] = "latest"
LABELS = (STABLE, LATEST)
"""`stable` is the version that answers when a request names none: the pinned one, or else the newest that is ready.
`latest` is the newest that is ready, whatever is pinned."""


@dataclass(frozen=True)
class ServedVersion:
    """A version that answers. Whoever holds it keeps it loaded: hold it from the first look at it to the answer."""

    card: Card
    batcher: Batcher


@dataclass(eq=False)
class Version:
    """A version, in whatever state it is."""

    number: int
    directory: Path
    state: State = "not_loaded"
    reason: str | None = None  # why its files cannot be served; the state is `ready` even so if they were replaced
    served: ServedVersion | None = field(default=None, repr=False)  # if it is ready
    fingerprint: Fingerprint | None = None  # of the files that were last tried; none if they are still to be tried
    published: bool = True  # whether it is still on disk

    @property
    def card(self) -> Card | None:
        """Its card, if it is ready."""
        return self.served.card if self.served else None

    def try_again(self) -> None:
        """Forget what came of its files."""
        self.fingerprint = None
        if self.state == "failed":
            self.state, self.reason = "not_loaded", None

    def serve(self, served: ServedVersion, fingerprint: Fingerprint) -> None:
        """Answer from now on."""
        self.state, self.reason, self.served, self.fingerprint = "ready", None, served, fingerprint

    def fail(self, reason: str, fingerprint: Fingerprint) -> None:
        """Be put aside until its files change; if earlier files of it are loaded, they answer on."""
        self.reason, self.fingerprint = reason, fingerprint
        if self.served is None:
            self.state = "failed"

    def retire(self) -> None:
        """Answer nothing new."""
        self.state, self.reason, self.served, self.fingerprint = "unloading", None, None, None


class Versions(Sequence[Version]):
    """The versions of one model, the newest first."""

    def __init__(self, directory: Path, *, keep: int, pinned: int | None) -> None:
        self.directory = directory
        self._keep = keep
        self.pinned = pinned
        """The only one to answer when a request names none."""
        self.unloaded = False
        """Whether none is wanted."""
        self.reason: str | None = None
        """Why it is not known which versions are on disk, if so; those that were found before are kept."""
        self._versions: list[Version] = []

    def __getitem__(self, place: int) -> Version:  # type: ignore[override]  # nobody takes slices of it
        """Give the version in one place."""
        return self._versions[place]

    def __len__(self) -> int:
        """Count them."""
        return len(self._versions)

    def publish(self, numbers: Sequence[int]) -> None:
        """Note which versions are on disk; one that is gone stays here for as long as it is in memory."""
        known = {version.number: version for version in self._versions}
        for number in numbers:
            known.setdefault(number, Version(number, self.directory / str(number)))
        for version in known.values():
            version.published = version.number in numbers
        self._versions = [known[number] for number in sorted(known, reverse=True)]
        self.tidy()

    def tidy(self) -> None:
        """Forget versions that are neither on disk nor in memory."""
        self._versions = [
            version for version in self._versions if version.published or version.state in ("ready", "unloading")
        ]

    def wanted(self) -> list[Version]:
        """Say which ought to be in memory: the pinned one, and the newest that are sound."""
        if self.unloaded:
            return []
        sound = [version for version in self._versions if version.published and version.state != "failed"]
        kept = [version for place, version in enumerate(sound) if place < self._keep or version.number == self.pinned]
        return sorted(kept, key=lambda version: version.number != self.pinned)

    def superseded(self) -> list[Version]:
        """Say which are in memory and no longer wanted; none is while something wanted is still to come."""
        wanted = self.wanted()
        if not all(version.served for version in wanted):
            return []
        return [version for version in self._versions if version.served and version not in wanted]

    def answering(self) -> Iterator[tuple[int | str | None, ServedVersion]]:
        """Go through the versions that are ready, by each number and label, and by None for no choice at all."""
        ready = [(version, version.served) for version in self._versions if version.served]
        yield from ((version.number, served) for version, served in ready)
        # One that has been unpublished answers only until there is another.
        newest = next((served for version, served in ready if version.published), ready[0][1] if ready else None)
        if newest:
            yield LATEST, newest
        stable = next((served for version, served in ready if version.number == self.pinned), None)
        if self.pinned is None:
            stable = newest
        if stable:
            yield STABLE, stable
            yield None, stable

    def why_not_ready(self, number: int | None) -> str:
        """Say why a version, or the one that answers by default, does not."""
        name, number = self.directory.name, number or self.pinned
        if self.unloaded:
            return f"Model '{name}' has been unloaded. It has to be loaded again by whoever did that."
        asked = [version for version in self._versions if number in (None, version.number)]
        if self.reason is not None and not asked:
            return f"Model '{name}' cannot answer. {self.reason}"
        if any(version.state in ("waiting", "loading") for version in asked):
            return f"Model '{name}' is still loading. Try again in a second."
        if number is not None and not asked:
            there = ", ".join(str(version.number) for version in self._versions) or "none"
            return f"Model '{name}' is pinned to version {number}, which it does not have. Versions on disk: {there}."
        reasons = " ".join(version.reason or "" for version in asked).strip()
        return f"Model '{name}' cannot answer. {reasons or 'It has no version. Train and publish one.'}"
